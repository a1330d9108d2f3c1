import Glibc
import TestSupport
import Testing

@testable import Files

@Suite("Names of files")
struct NameTests {
  @Test("the kind is the suffix in lower case, if it is a word")
  func kinds() {
    for (name, kind) in [
      ("a.JPG", ".jpg"), ("a.b.Webp", ".webp"), ("a.jp2", ".jp2"), ("a", ""), (".jpg", ""), ("a.", ""),
      ("a.001", ""),
      ("a.jpg?size=large", ""), ("a.averylongword", ""), ("a.\u{e9}", ""), ("x.tar.gz", ".gz"),
    ] { #expect(suffixKind(ofName: name) == kind, "\(name)") }
    #expect(isImageKind(".jfif") && isImageKind(".heic") && !isImageKind(".txt") && !isImageKind(""))
  }

  @Test("a name is one of litter or not")
  func litter() {
    for name in [
      "._1.jpg", ".DS_Store", "Thumbs.db", "THUMBS.DB", "desktop.ini", "__MACOSX", "$RECYCLE.BIN", "@eaDir",
      "System Volume Information", ".ipynb_checkpoints", ".git", "a.jpg~", "photos.imrec.lock", "lost+found",
    ] { #expect(isLitter(name), "\(name)") }
    for name in ["1.jpg", ".1.jpg", "recycled", "CVS", "git", "_1.jpg", "macosx", ""] {
      #expect(!isLitter(name), "\(name)")
    }
  }

  @Test("a folder that cannot be created because a file is in the way is named")
  func inTheWay() {
    withScratchFolder { folder in
      writeScratchFile(folder + "/file", [1])
      let error = #expect(throws: FileError.self) { try makeFolder(folder + "/file") }
      #expect(error?.description == "\(folder)/file: a file of this name is in the way")
    }
  }

  @Test("a root is the same folder as before, or it went away")
  func roots() throws {
    try withScratchFolder { folder in
      makeScratchFolders(above: folder + "/a/x")
      let root = try InputRoot(folder + "/a")
      try root.check()
      rename(folder + "/a", folder + "/b")
      #expect(throws: FileError(.wentAway, path: folder + "/a")) { try root.check() }
      makeScratchFolders(above: folder + "/a/x")
      #expect(throws: FileError(.wentAway, path: folder + "/a")) { try root.check() }
      rmdir(folder + "/a")
      rename(folder + "/b", folder + "/a")
      try root.check()
    }
  }
}

@Suite("Names as bytes")
struct ByteNameTests {
  private let composed = "caf\u{e9}", decomposed = "cafe\u{301}"

  @Test("names that only look alike are different")
  func identity() {
    #expect(composed == decomposed)  // what String says
    #expect(ByteName(composed) != ByteName(decomposed) && !hasSameBytes(composed, decomposed))
    #expect(Set([composed, decomposed].map { ByteName($0) }).count == 2)
    #expect(ByteName(composed) == ByteName("x\(composed)".dropFirst()))
  }

  @Test("names are ordered by their bytes")
  func order() {
    let names = ["e", "\u{e9}", "e\u{301}", "Z", "", "\u{1F600}", "\u{fffd}"].map { ByteName($0) }.sorted()
    #expect(names.map(\.text.unicodeScalars.first?.value) == [nil, 0x5a, 0x65, 0x65, 0xe9, 0xfffd, 0x1f600])
  }

  @Test("prefixes and suffixes are compared by their bytes")
  func ends() {
    #expect(decomposed.hasBytePrefix("cafe") && !decomposed.hasPrefix("cafe"))
    #expect(!composed.hasByteSuffix("e\u{301}") && composed.hasSuffix("e\u{301}"))
    #expect("a".hasBytePrefix("") && "a".hasByteSuffix("a") && !"a".hasByteSuffix("ba"))
  }
}

@Suite("Litter")
struct LitterTests {
  @Test(
    "files that systems and editors leave behind are recognized by name",
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
