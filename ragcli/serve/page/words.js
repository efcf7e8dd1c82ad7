// The page's own words, in each language.

export const WORDS = {
  en: {
    heading: "Search and ask your texts", tabs: "What to do", skip: "Skip to the question", ask: "Ask", search: "Search",
    chat: "Chat", review: "Review", enter: "Continue", where: "Only documents with", close: "Close",
    filters: (n) => (n ? `Filters (${n})` : "Filters"),
    go: { ask: "Ask", search: "Search", chat: "Send", review: "Review" },
    about: {
      ask: "The answer is made of sentences of your texts, each with its source. If they do not tell, it says so.",
      search: "Passages are found by their words and by their meaning.",
      chat: "A follow-up question is understood from the ones before.",
      review: "A new review of a film is made of its reviews in the index.",
    },
    toQuestion: "to the question", toResults: "through the results", toClose: "closes a document",
    key: "This server wants a token", token: "Token", other: "中文", title: "ragcli – search and ask your texts",
    placeholders: {
      ask: "Ask a question", search: "Search as you type", chat: "Ask, then follow up", review: "The title of a film",
    },
    documents: (n) => (n === 1 ? "1 document" : `${n.toLocaleString("en")} documents`),
    found: (n) => (n === 1 ? "1 passage" : `${n} passages`),
    fields: "Fields:", several: "Separate several by commas; = != >= <= > <",
    nothing: "Nothing found.", working: "Looking …", sources: "Sources", abstained: "No certain answer. This may help:",
    none: "The texts do not answer this.", nearest: "Nearest passages",
    sure: "Confidence: high", likely: "Confidence: medium", unsure: "Confidence: low",
    cite: (n, title) => `Source ${n}: ${title}`, failed: "The server cannot be reached.",
    you: "You", missing: (names) => `The texts say nothing of ${names.join(" and ")}.`,
  },
  zh: {
    heading: "搜索并询问您的文本", tabs: "功能", skip: "跳到提问框", ask: "提问", search: "搜索", chat: "对话", review: "影评",
    enter: "继续", filters: (n) => (n ? `筛选（${n}）` : "筛选"), go: { ask: "提问", search: "搜索", chat: "发送", review: "写影评" },
    about: {
      ask: "答案由您文本中的句子组成，每句都注明来源；文本没有答案时会直接说明。",
      search: "按词语和含义查找段落。",
      chat: "追问会结合前面的问题来理解。",
      review: "用索引中一部电影的影评写成一篇新影评。",
    },
    toQuestion: "跳到输入框", toResults: "浏览结果", toClose: "关闭文档", where: "只看满足以下条件的文档", close: "关闭", key: "此服务器需要令牌", token: "令牌",
    other: "English", title: "ragcli – 搜索并询问您的文本",
    placeholders: { ask: "请输入问题", search: "边输入边搜索", chat: "提问，然后继续追问", review: "电影名称" },
    documents: (n) => `${n.toLocaleString("zh")} 篇文档`, found: (n) => `${n} 个段落`,
    fields: "字段：", several: "多个条件用逗号分隔；= != >= <= > <",
    nothing: "没有找到。", working: "正在查找…", sources: "来源", abstained: "没有确定的答案。以下内容或有帮助：",
    none: "这些文本没有回答这个问题。", nearest: "最接近的段落",
    sure: "可信度：高", likely: "可信度：中", unsure: "可信度：低",
    cite: (n, title) => `来源 ${n}：${title}`, failed: "无法连接服务器。",
    you: "您", missing: (names) => `文本中没有提到 ${names.join("、")}。`,
  },
};
