import Files
import Testing

@Suite("Names as bytes")
struct ByteNameTests {
  private let composed = "caf\u{e9}", decomposed = "cafe\u{301}"

  @Test("names that only look alike are two")
  func identity() {
    #expect(composed == decomposed)  // what String says
    #expect(ByteName(composed) != ByteName(decomposed) && !hasSameBytes(composed, decomposed))
    #expect(Set([composed, decomposed].map { ByteName($0) }).count == 2)
    #expect(ByteName(composed) == ByteName("x\(composed)".dropFirst()))
  }

  @Test("the order is that of the bytes")
  func order() {
    let names = ["e", "\u{e9}", "e\u{301}", "Z", "", "\u{1F600}", "\u{fffd}"].map { ByteName($0) }.sorted()
    #expect(names.map(\.text.unicodeScalars.first?.value) == [nil, 0x5a, 0x65, 0x65, 0xe9, 0xfffd, 0x1f600])
  }

  @Test("a prefix or suffix is one of bytes")
  func ends() {
    #expect(decomposed.hasBytePrefix("cafe") && !decomposed.hasPrefix("cafe"))
    #expect(!composed.hasByteSuffix("e\u{301}") && composed.hasSuffix("e\u{301}"))
    #expect("a".hasBytePrefix("") && "a".hasByteSuffix("a") && !"a".hasByteSuffix("ba"))
  }
}

@Suite("Litter")
struct LitterTests {
  @Test(
    "what systems and editors leave behind is known by name",
    arguments: [
      "._1.jpg", ".DS_Store", "Thumbs.db", "THUMBS.DB", "desktop.ini", "__MACOSX", "$RECYCLE.BIN",
      "System Volume Information", ".ipynb_checkpoints", ".git", "@eaDir", "lost+found", "~$list.xlsx",
      "1.jpg~",
      ".1.jpg.swp", "__pycache__",
    ])
  func litter(_ name: String) { #expect(isLitter(name)) }

  @Test(
    "ordinary names are not",
    arguments: ["cat", ".hidden.jpg", "1.jpg", "thumbs", "git", "_x", "macosx", "~"])
  func ordinary(_ name: String) { #expect(isLitter(name) == (name == "~")) }
}
