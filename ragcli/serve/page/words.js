// The page's own words, in each language.

export const WORDS = {
  en: {
    heading: "Search and ask your texts", tabs: "What to do", skip: "Skip to the question", ask: "Ask", search: "Search",
    chat: "Chat", review: "Review", go: "Go", filters: "Filters", where: "Only documents with", close: "Close",
    key: "This server wants a token", token: "Token", other: "中文", title: "ragcli – search and ask your texts",
    placeholders: {
      ask: "Ask a question", search: "Search as you type", chat: "Ask, and then ask on", review: "The title of a film",
    },
    documents: (n) => (n === 1 ? "1 document" : `${n.toLocaleString("en")} documents`),
    found: (n) => (n === 1 ? "1 passage" : `${n} passages`),
    fields: (names) => `Fields: ${names.join(", ")}. Separate several by commas; = != >= <= > <`,
    nothing: "Nothing found.", working: "Looking …", sources: "Sources", abstained: "No certain answer. This may help:",
    none: "The texts do not answer this.", sure: "sure", likely: "likely", unsure: "unsure",
    cite: (n, title) => `Source ${n}: ${title}`, open: (title) => `Open ${title}`, failed: "The server cannot be reached.",
    you: "You", missing: (names) => `The texts say nothing of ${names.join(" and ")}.`,
  },
  zh: {
    heading: "搜索并询问您的文本", tabs: "功能", skip: "跳到提问框", ask: "提问", search: "搜索", chat: "对话", review: "影评",
    go: "开始", filters: "筛选", where: "只看满足以下条件的文档", close: "关闭", key: "此服务器需要令牌", token: "令牌",
    other: "English", title: "ragcli – 搜索并询问您的文本",
    placeholders: { ask: "请输入问题", search: "边输入边搜索", chat: "提问，然后继续追问", review: "电影名称" },
    documents: (n) => `${n.toLocaleString("zh")} 篇文档`, found: (n) => `${n} 个段落`,
    fields: (names) => `字段：${names.join("、")}。多个条件用逗号分隔；= != >= <= > <`,
    nothing: "没有找到。", working: "正在查找…", sources: "来源", abstained: "没有确定的答案。以下内容或有帮助：",
    none: "这些文本没有回答这个问题。", sure: "确定", likely: "可能", unsure: "不确定",
    cite: (n, title) => `来源 ${n}：${title}`, open: (title) => `打开 ${title}`, failed: "无法连接服务器。",
    you: "您", missing: (names) => `文本中没有提到 ${names.join("、")}。`,
  },
};
