import Glibc
import Predictions
import Records
import TestSupport
import Testing

/// The labels by path, the rejections by path, and the classes of a truth.
private struct Read {
  var labels: [String: Int] = [:]
  var rejections: [String: String] = [:]
  var classes: [String]?
  var columns: [String: [String]] = [:]

  init(_ truth: Truth) {
    for entry in 0..<truth.count { labels[truth.path(entry)] = truth.label(entry) }
    for item in truth.rejections { rejections[item.path] = item.reason }
    classes = truth.classes?.names
    for column in truth.columns { columns[column.name] = column.values }
  }

  init(_ name: String, _ text: some Sequence<UInt8>, classes: [String]? = nil) throws {
    self = try withScratchFolder { folder in
      writeScratchFile("\(folder)/\(name)", text)
      return Read(try Truth("\(folder)/\(name)", classes: try classes.map { try ClassList($0) }))
    }
  }
}

@Suite("The truth in all its forms")
struct TruthTests {
  @Test("a list gives paths and labels; lines that cannot be used are named")
  func list() throws {
    let text =
      "5\t1.000000\ta/1.jpg\r\n6\t0\tb 2.jpg \nrubbish\n7\t0.5\tc.jpg\n8\t-1\td.jpg\n9\t1\t2\te.jpg\n10\t99999\tf.jpg\n"
    let read = try Read("t.lst", text.utf8)
    #expect(read.labels == ["a/1.jpg": 1, "b 2.jpg": 0])
    #expect(read.rejections.count == 5)
    #expect(read.rejections["t.lst line 3"]?.contains("3 fields") == true)
    #expect(read.rejections["c.jpg"] == "label 0.5 is unknown; a whole number from 0 to 9999 is expected")
    #expect(read.rejections["d.jpg"] == "label -1 is unknown; a whole number from 0 to 9999 is expected")
    #expect(read.rejections["e.jpg"] == "it has 2 labels; one class is expected")
    #expect(read.rejections["f.jpg"] == "label 99999 is unknown; a whole number from 0 to 9999 is expected")
    #expect(try Read("t.lst", text.utf8, classes: ["one"]).labels == ["b 2.jpg": 0])
  }

  @Test("records give ids and labels; a damaged record is named and the others are read")
  func records() throws {
    var bytes: [UInt8] = []
    for (id, label) in [(7, 1), (8, 0), (9, 2)] {
      try appendRecord(ImageHeader(label: Float(label), id: UInt64(id)), image: [1, 2, 3].span, to: &bytes)
    }
    try appendRecord(ImageHeader(labels: [1, 2], id: 10), image: [1].span, to: &bytes)
    #expect(try Read("t.rec", bytes).labels == ["7": 1, "8": 0, "9": 2])
    #expect(try Read("t.rec", bytes).rejections == ["10": "it has 2 labels; one class is expected"])
    #expect(try Read("no-suffix", bytes).labels.count == 3)
    bytes[36 + 4] = 200
    let damaged = try Read("t.rec", bytes)
    #expect(damaged.labels == ["7": 1, "9": 2])
    #expect(damaged.rejections["t.rec byte 36"] != nil)
  }

  @Test("outputs of records are named by their ids")
  func recordOutputs() throws {
    try withScratchFolder { folder in
      var bytes: [UInt8] = []
      for id in 0..<3 {
        try appendRecord(ImageHeader(label: Float(id % 2), id: UInt64(id)), image: [1].span, to: &bytes)
      }
      writeScratchFile("\(folder)/t.rec", bytes)
      for id in 0..<2 { writeScratchFile("\(folder)/o/\(id).out", "[1,0]".utf8) }
      let result = try judge("\(folder)/o", truth: "\(folder)/t.rec")
      #expect(result.scored.mapValues(\.truth) == ["0": 0, "1": 1] && result.missing == ["2"])
      #expect(result.rules == [.id: 2])
    }
  }

  @Test("class folders give the label by their order, or by the class list")
  func folders() throws {
    try withScratchFolder { folder in
      for path in ["b/1.jpg", "a/1.png", "a/deep/2.JPEG", "c/x.txt", ".git/1.jpg", "loose.jpg"] {
        writeScratchFile("\(folder)/t/\(path)", "x".utf8)
      }
      let read = Read(try Truth("\(folder)/t"))
      #expect(read.labels == ["a/1.png": 0, "a/deep/2.JPEG": 0, "b/1.jpg": 1])
      #expect(read.classes == ["a", "b", "c"])
      #expect(read.rejections == ["loose.jpg": "it lies in no class folder"])
      #expect(try Truth("\(folder)/t").passedOver == [])
      writeScratchFile("\(folder)/t/b/3.webp", "x".utf8)
      #expect(try Truth("\(folder)/t").passedOver == ["b: 1 .webp file was passed over, e.g. b/3.webp"])
      let listed = Read(try Truth("\(folder)/t", classes: ClassList(["b", "z"])))
      #expect(listed.labels == ["b/1.jpg": 0])
      #expect(listed.rejections["a/1.png"] == "its folder \"a\" is not on the class list")
    }
  }

  @Test(
    "a table gives paths and labels, with a header or none, quoted or not",
    arguments: [
      ("t.csv", "a.jpg,1\nb.jpg,0\n"), ("t.csv", "path,label\na.jpg,1\nb.jpg,0"),
      ("t.csv", "\u{FEFF}Label,PATH\r\n1,a.jpg\r\n0,b.jpg\r\n"),
      ("t.csv", "\"path\",\"label\"\n\"a.jpg\",\"1\"\n\n\"b.jpg\",0\n"),
      ("t.tsv", "image\tclass\na.jpg\t1\nb.jpg\t0\n"),
      ("table", "a.jpg,1.0\nb.jpg,0e0\n"), ("table", "a.jpg\t1\nb.jpg\t0\n"),
      ("t.csv", "class,filename,path\nx,wrong,a.jpg\nw,wrong,b.jpg\n"),
    ])
  func table(_ name: String, _ text: String) throws {
    #expect(try Read(name, text.utf8).labels == ["a.jpg": 1, "b.jpg": 0])
  }

  @Test("labels of a table may be names; the list is then all of them, sorted, unless one is given")
  func namedLabels() throws {
    let text = "path,label\n1.jpg,dog\n2.jpg,cat\n3.jpg,dog\n4.jpg,7\n5.jpg,\"a,b\"\n6.jpg,\n"
    let read = try Read("t.csv", text.utf8)
    #expect(read.classes == ["7", "a,b", "cat", "dog"])
    #expect(read.labels == ["1.jpg": 3, "2.jpg": 2, "3.jpg": 3, "4.jpg": 0, "5.jpg": 1])
    #expect(read.rejections["6.jpg"]?.hasPrefix("label \"\" is unknown") == true)
    let listed = try Read("t.csv", text.utf8, classes: ["dog", "cat", "x", "y", "z", "p", "q", "r"])
    #expect(listed.labels == ["1.jpg": 0, "2.jpg": 1, "3.jpg": 0, "4.jpg": 7])
    #expect(listed.rejections.count == 2)
  }

  @Test("further columns of a table are kept for slices, row by row")
  func columns() throws {
    let read = try Read(
      "t.csv", "camera,path,light,label\nA,1.jpg,0.5,0\nB,2.jpg,,9999999\nC,3.jpg,0.7,1\n,4.jpg\n".utf8)
    #expect(read.labels == ["1.jpg": 0, "3.jpg": 1])
    #expect(read.columns == ["camera": ["A", "C"], "light": ["0.5", "0.7"]])
    #expect(read.rejections.count == 2)
  }

  @Test(
    "hostile table text is data",
    arguments: ["=cmd()", "</script>", "a\nb", "\u{202E}x", "\"q\"", "a\rb", "'"])
  func hostile(_ name: String) throws {
    let quoted = "\"" + name.replacing("\"", with: "\"\"") + "\""
    #expect(try Read("t.csv", "path,label\n\(quoted),0\n".utf8).labels == [name: 0])
  }

  @Test("a table that cannot be read as a whole says why")
  func badTables() throws {
    #expect(throws: TruthError.self) { try Read("t.csv", "path,label\n\"open,0\n".utf8) }
    #expect(throws: TruthError.self) { try Read("t.csv", "path,score\na.jpg,0\n".utf8) }
    #expect(throws: TruthError.self) { try Read("t.csv", "name_of_it,label\na.jpg,0\n".utf8) }
    #expect(throws: TruthError.self) { try Read("strange", "one word\n".utf8) }
    #expect(throws: TruthError.self) { try Truth("/nowhere.csv") }
    #expect(throws: TruthError.self) { try ClassList(["a", "b", "a"]) }
  }

  @Test("JSON lines give path and label under many keys; SageMaker's manifest too")
  func lines() throws {
    let text = """
      {"path":"a.jpg","label":1}
      {"image":"b.jpg","label":"0","prediction":[0.5,{"x":[]}]}\r
      {"source-ref":"s3://b/c.jpg","kind":2,"kind-metadata":{"type":"groundtruth/image-classification"}}
      {"label":1}
      {"path":"e.jpg"}
      {"path":"f.jpg","label":1
      [1]
      """
    let read = try Read("t.jsonl", text.utf8)
    #expect(read.labels == ["a.jpg": 1, "b.jpg": 0, "s3://b/c.jpg": 2])
    #expect(read.rejections.keys.sorted() == ["e.jpg", "f.jpg", "t.jsonl line 4", "t.jsonl line 7"])
    #expect(read.rejections["f.jpg"] == "byte 25: the text ends where ',' or '}' is expected")
    let named = try Read(
      "t.manifest", "{\"path\":\"a\",\"class\":\"dog\"}\n{\"path\":\"b\",\"class\":\"cat\"}\n".utf8)
    #expect(named.labels == ["a": 1, "b": 0] && named.classes == ["cat", "dog"])
  }

  @Test("a line with a key twice is refused")
  func repeatedKey() throws {
    let read = try Read("t.jsonl", #"{"path":"g.jpg","label":1,"label":2}"#.utf8)
    #expect(read.labels.isEmpty)
    #expect(read.rejections == ["g.jpg": #"byte 26: the key "label" stands twice in one object"#])
  }

  @Test("neither of two keys with metadata is taken for the label")
  func twoLabels() throws {
    let line = #"{"path":"a.jpg","kind":2,"kind-metadata":{},"age":1,"age-metadata":{}}"#
    let read = try Read("t.jsonl", line.utf8)
    #expect(read.labels.isEmpty)
    #expect(
      read.rejections["a.jpg"] == "its label could be under any of \"age\", \"kind\"")
  }

  @Test("a path that stands twice counts once, and not at all with two labels")
  func twice() throws {
    let read = try Read("t.csv", "a,0\nb,1\na,0\nc,2\nc,1\nd,0\n".utf8)
    #expect(read.labels == ["a": 0, "b": 1, "d": 0])
    #expect(
      read.rejections == [
        "a": "it is in the truth twice",
        "c": "it is in the truth twice, with label 2 and with label 1",
      ])
  }

  @Test("class files may end with or without a line end, in LF or CRLF; a gap or a repeat is refused")
  func classFiles() throws {
    try withScratchFolder { (folder) throws in
      func read(_ text: String) throws -> [String] {
        writeScratchFile("\(folder)/classes.txt", text.utf8)
        return try ClassList(file: "\(folder)/classes.txt").names
      }
      #expect(try read("a\nb c\n</script>\n") == ["a", "b c", "</script>"])
      #expect(try read("\u{FEFF}a\r\nb\r\n") == ["a", "b"])
      #expect(try read("a\nb") == ["a", "b"])
      #expect(throws: TruthError.self) { try read("a\n\nb\n") }
      #expect(throws: TruthError.self) { try read("a\na\n") }
    }
  }

  @Test("class groups are read by name or label; an unknown class is refused")
  func groups() throws {
    try withScratchFolder { (folder) throws in
      let classes = try ClassList(["cat", "dog", "car", "van"])
      func read(_ text: String) throws -> [String] {
        writeScratchFile("\(folder)/groups.csv", text.utf8)
        return try readClassGroups("\(folder)/groups.csv", of: classes)
      }
      #expect(
        try read("class,group\ncat,pets\ndog,pets\n2,\"vehicles, all\"\n") == [
          "pets", "pets", "vehicles, all", "ungrouped",
        ])
      #expect(try read("cat\tpets\n") == ["pets", "ungrouped", "ungrouped", "ungrouped"])
      #expect(throws: TruthError.self) { try read("cat,pets\nhorse,pets\n") }
      #expect(throws: TruthError.self) { try read("cat,pets\ncat,pets\n") }
      #expect(throws: TruthError.self) { try read("cat,pets\ndog\n") }
    }
  }
}
