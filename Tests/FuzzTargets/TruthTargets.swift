import Foundation
import Predictions

/// The first byte says which kind of file the rest is.
let truths = FuzzTarget(
  "truth",
  words: [
    [0x0d, 0x0a], [0x09], "\"\"", "\",\"", "path,label", "path\tlabel", #"{"path":""#, #""label":"#,
    "source-ref", "-metadata",
    "1e999", "-1", "2147483648", "9223372036854775808", "3.0", [0xef, 0xbb, 0xbf], [0xff], [0xcc, 0x81],
    #"\u0000"#,
  ],
  seeds: {
    [
      "0path,label,camera\na.jpg,cat,x\n\"b,\"\"c.jpg\",dog,\r\n\n\"d\ne.jpg\",\"cat\",z\na.jpg,dog,y\n",
      "0a,0\nb,1\nc,1.0\nd,x\n",
      "1image\tclass\na b.jpg\t3\nc\t4\n", "20\t1.0\ta/b.jpg\n1\t2\tc.jpg\n1\t0.5\td.jpg\n",
      "3{\"path\":\"a\\u00e9\",\"label\":1}\n{\"source-ref\":\"s3://b/x\",\"k\":0,\"k-metadata\":{}}\n{\"id\":7,\"y\":\"cat\"}\n",
      "4path,label\na,0\n", "0file;species\na.jpg;cat\n\"b;c\";dog\n",
      "0\u{feff} image , label \n a , cat \n",
      "0path,label\ra,cat\rb,dog\r", "0path,label\n",
    ].map { Array($0.utf8) } + [
      Array("0".utf8) + [0xff, 0xfe]
        + "path,label\na,cat\n".utf16.flatMap { [UInt8($0 & 0xff), UInt8($0 >> 8)] },
      Array("0".utf8) + "path,label\r\na,cat\r\n".utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xff)] },
    ]
  },
  check: { input, scratch in
    let kinds = ["csv", "tsv", "lst", "jsonl", "unknown"]
    let path = try scratch.file(
      Array(input.dropFirst()), "input." + kinds[Int((input.first ?? 48) &- 48) % 5])
    // With a class list or without one, chosen by the length, which most mutations change.
    let classes = input.count % 2 == 0 ? nil : try ClassList(["cat", "dog", "e\u{301}"])
    let truth: Truth
    do throws(TruthError) { truth = try Truth(path, classes: classes) } catch {
      return try requireSentence(error)
    }
    let classCount = truth.classes?.count
    let paths = (0..<truth.count).map { truth.path($0) }
    for entry in 0..<truth.count {
      try require((0..<(classCount ?? .max)).contains(truth.label(entry)), "a label is that of a class")
      try require(!paths[entry].isEmpty, "an image has a path")
    }
    try require(
      truth.columns.allSatisfy { $0.values.count == truth.count }, "a column has a value for each image")
    try require(
      truth.rejections.allSatisfy { $0.reason.contains(" ") }, "an image is rejected in a sentence")
    // Bytes that are no UTF-8, and what is escaped, do not come back from text.
    guard
      paths.allSatisfy({
        $0.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x5C && $0 != 0x7F } && !$0.contains("\u{fffd}")
      })
    else { return }
    try require(Set(paths.map { Array($0.utf8) }).count == paths.count, "a path stands once")
    var table = "path,label\n"
    for (entry, path) in paths.enumerated() {
      let label = truth.classes.map { $0.names[truth.label(entry)] } ?? "\(truth.label(entry))"
      table +=
        [path, label].map { quoted($0) }.joined(separator: ",") + "\n"
    }
    let written = try scratch.file(Array(table.utf8), "written.csv")
    let again = try require("a truth that is written is read") {
      try Truth(written, classes: truth.classes)
    }
    try require(
      again.count == truth.count
        && (0..<again.count).allSatisfy {
          again.path($0).utf8.elementsEqual(paths[$0].utf8) && again.label($0) == truth.label($0)
        }, "a truth that is written is read to the same")
  })

/// As a field of a table. Scalar by scalar: with an accent behind it a quote is another character.
private func quoted(_ text: String) -> String {
  "\"" + text.unicodeScalars.map { $0 == "\"" ? "\"\"" : "\($0)" }.joined() + "\""
}
