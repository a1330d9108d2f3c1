import Encodings
import Testing

@Suite("Printable text")
struct PrintableTextTests {
  @Test(
    "shows what cannot be seen as an escape, and leaves everything else",
    arguments: [
      ("", ""), ("plain", "plain"), ("é ü 猫", "é ü 猫"), ("a\tb\nc\r", "a\\tb\\nc\\r"),
      ("\u{0}\u{1B}[31m", "\\u{0}\\u{1b}[31m"),
      ("\u{7F}\u{85}", "\\u{7f}\\u{85}"), ("\u{202E}gpj.exe", "\\u{202e}gpj.exe"), ("\u{2028}", "\\u{2028}"),
      ("zero\u{200B}width", "zero\\u{200b}width"), ("\u{FEFF}", "\\u{feff}"), ("\u{FFFE}", "\\u{fffe}"),
      ("👩\u{200D}🔬", "👩\u{200D}🔬"), ("back\\slash", "back\\slash"), ("e\u{301}", "e\u{301}"),
    ])
  func escapes(_ text: String, _ expected: String) {
    #expect(Array(printable(text).utf8) == Array(expected.utf8))
    #expect(printable(printable(text)) == printable(text), "it is printable")
  }

  @Test(
    "of a name is one line; what is not UTF-8 stands as bytes",
    arguments: [
      (Array("a/b.jpg".utf8), "a/b.jpg"), (Array("a\nb\u{1B}".utf8), "a\\nb\\u{1b}"),
      ([0x61, 0xFF, 0x0A, 0x7E], "a\\xff\\x0a~"),
      ([0xC3, 0xA9], "é"), (Array("\u{202E}x".utf8), "\u{202E}x"), ([], ""),
    ])
  func names(_ bytes: [UInt8], _ expected: String) {
    #expect(Array(nameText(bytes).utf8) == Array(expected.utf8))
    #expect(Array(nameText(bytes[...]).utf8) == Array(expected.utf8))
  }
}
