// All that the page says, in both languages. {0}, {1} stand for values.

const WORDS = {
  en: {
    api: "API", language: "Language", give: "Give a picture",
    hint: "A photograph of cars, or a crop of one plate or of a row of digits.",
    choose: "Choose pictures", photograph: "Take a photo",
    drag: "or drop them here, or paste one", model: "Model", others: "Other texts",
    key: "API key", unlock: "Use it", all: "All pictures", download: "Download CSV",
    clear: "Clear", picture: "Picture", text: "Text", confidence: "Confidence",
    footer: "Pictures are read by this server, kept nowhere, and sent nowhere else.",
    good: "sure", unsure: "check it", bad: "do not trust it", none: "no text", noPlate: "no plate found",
    plates: "{0} plates found; choose one in the picture.",
    least: "Not sure below", never: "never", refused: "not sure",
    perhaps: "Perhaps", guess: "Below {0}: a guess, for a person to check.",
    reading: "Reading {0} of {1} …", done: "{0}: {1}", several: "{0} pictures read{1}{2}.",
    someRefused: ", {0} of them not surely", someWrong: ", {0} could not be",
    wrong: "It could not be read: {0}", notPicture: "Give a file that is a picture.",
    busy: "The service is busy; trying again in {0} s …",
    locked: "An API key is needed.", badKey: "That key does not open it.",
    gone: "The service does not answer. Is it running?",
    large: "{0} is over {1} MB; crop it to the text.",
    roughly: "Lines show where each character was found; on plates only roughly.",
    exactly: "Lines show where each character was found.",
    unseen: "The browser cannot show this kind of picture.",
    advice: "Nothing could be read. Crop the picture to the text, hold it upright and try again; for another kind of text choose another model.",
    hintPlates: "A photograph of a car, or a crop of its licence plate.",
    hintDigits: "A row of digits, cropped so that it fills the picture.",
    hintText: "A line of text, cropped so that it fills the picture.",
    characters: "Characters with their confidence, in %", pasted: "pasted picture", dot: ": ",
  },
  zh: {
    api: "接口", language: "语言", give: "放入图片",
    hint: "车辆照片，或裁剪好的车牌、一行数字。",
    choose: "选择图片", photograph: "拍照",
    drag: "也可以拖到这里，或直接粘贴", model: "模型", others: "其他可能",
    key: "API 密钥", unlock: "使用", all: "全部图片", download: "下载 CSV",
    clear: "清空", picture: "图片", text: "文字", confidence: "置信度",
    footer: "图片只由本服务器识别，不保存，也不发往别处。",
    good: "可信", unsure: "请核对", bad: "不可信", none: "没有文字", noPlate: "未找到车牌",
    plates: "找到 {0} 个车牌，可在图中点选。",
    least: "低于此值视为不确定", never: "不限", refused: "不确定",
    perhaps: "可能是", guess: "低于 {0}，只是猜测，请人工核对。",
    reading: "正在识别第 {0} 张，共 {1} 张……", done: "{0}，{1}", several: "已识别 {0} 张图片{1}{2}。",
    someRefused: "，其中 {0} 张不确定", someWrong: "，{0} 张无法识别",
    wrong: "无法识别：{0}", notPicture: "请放入图片文件。",
    busy: "服务繁忙，{0} 秒后重试……",
    locked: "需要 API 密钥。", badKey: "密钥不正确。",
    gone: "服务没有响应，请确认它正在运行。",
    large: "{0} 超过 {1} MB，请裁剪到文字部分。",
    roughly: "连线表示每个字符的位置；车牌上的位置只是大致的。",
    exactly: "连线表示每个字符的位置。",
    unseen: "浏览器无法显示这种图片。",
    advice: "未识别出文字。请将图片裁剪到文字部分并保持正向，然后重试；如为其他类型的文字，请更换模型。",
    hintPlates: "车辆照片，或裁剪好的车牌。",
    hintDigits: "一行数字，请裁剪到数字占满整张图片。",
    hintText: "一行文字，请裁剪到文字占满整张图片。",
    characters: "各字符及其置信度（%）", pasted: "粘贴的图片", dot: "：",
  },
};

let language = "en";

export function word(name, ...values) {
  return WORDS[language][name].replace(/\{(\d)\}/g, (_, n) => values[n]);
}

// The language asked for last, or else the browser's.
export function preferred() {
  try {
    const kept = localStorage.getItem("language");
    if (kept in WORDS) return kept;
  } catch { /* storage may be forbidden */ }
  const first = navigator.languages.find((tag) => tag.slice(0, 2) in WORDS);
  return first ? first.slice(0, 2) : "en";
}

export function speak(chosen) {
  language = chosen;
  document.documentElement.lang = chosen === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-word]")) {
    element.textContent = word(element.dataset.word);
  }
}

export function keep(chosen) {
  try { localStorage.setItem("language", chosen); } catch { /* the choice lasts for this visit */ }
}
