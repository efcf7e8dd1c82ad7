"""Words of Chinese that ask and name nothing, in both scripts."""

CHINESE_QUESTION_WORDS = (
    *(
        "什么",
        "什麼",
        "甚么",
        "甚麼",
        "为什么",
        "為什麼",
        "为何",
        "為何",
        "怎么样",
        "怎麼樣",
        "怎样",
        "怎樣",
        "怎么",
        "怎麼",
    ),
    *("如何", "谁", "誰", "多少", "是否", "有没有", "有沒有", "请问", "請問", "吗", "嗎", "呢"),
)
