import Encodings
import Files
import Foundation
import HTTP
import Inference
import SageMaker

// Requests of SageMaker's API, forms of the dashboard, and what a batch transform reads.

private let operations = Shapes.standard.operations.sorted { $0.key < $1.key }

/// A request behind a line with its operation.
private func call(_ operation: String, _ request: String) -> [UInt8] {
  Array("\(operation)\n\(request)".utf8)
}

let requests = FuzzTarget(
  "api",
  words: [
    "{\"", "\":", "[[[[[[[[", #"\ud83d\ude00"#, #"\ud800"#, #"\u0000"#, "9223372036854775808", "-0", "1e308",
    "1e999",
    "null", "true", [0xc3, 0xa9], [0xcc, 0x81], "TrainingJobName", "HyperParameters", "InputDataConfig",
    "MaxResults",
    "NextToken", "CreationTimeAfter", "s3://", "arn:aws:iam::123456789012:role/r",
  ],
  seeds: {
    [
      call("ListTrainingJobs", ""),
      call("ListModels", #"{"MaxResults": 5, "NameContains": "a", "SortOrder": null}"#),
      call(
        "CreateTrainingJob",
        #"{"TrainingJobName":"a-1","RoleArn":"arn:aws:iam::123456789012:role/r","AlgorithmSpecification":{"TrainingImage":"image-classification:1","TrainingInputMode":"File"},"OutputDataConfig":{"S3OutputPath":"s3://b/o"},"ResourceConfig":{"InstanceType":"ml.p3.2xlarge","InstanceCount":1,"VolumeSizeInGB":50},"StoppingCondition":{"MaxRuntimeInSeconds":3600},"InputDataConfig":[{"ChannelName":"train","ContentType":"application/x-recordio","DataSource":{"S3DataSource":{"S3DataType":"S3Prefix","S3Uri":"s3://b/train/"}}}],"HyperParameters":{"epochs":"2"},"Tags":[{"Key":"é","Value":"\ud83d\ude00\n"}]}"#
      ),
      call(
        "CreateModel",
        #"{"ModelName":"m","ExecutionRoleArn":"arn:aws:iam::123456789012:role/r","PrimaryContainer":{"Image":"i:1","ModelDataUrl":"s3://b/model.tar.gz","Environment":{"A":"b"}}}"#
      ),
      call(
        "ListTags",
        #"{"ResourceArn":"arn:aws:sagemaker:us-east-1:123456789012:model/m","x":[1,-2.5e3,[],{}]}"#),
    ]
  },
  check: { input, _ in
    let line = input.prefix { $0 != UInt8(ascii: "\n") }
    let body = Array(input.dropFirst(line.count + 1))
    let value: JSON
    do throws(JSONError) {
      value = try JSON(parsing: body)
    } catch {
      try require((0...body.count).contains(error.offset), "a fault lies in the text")
      return try requireSentence(error)
    }
    let written = value.bytes
    let again = try require("JSON that is written is read") { try JSON(parsing: written) }
    try require(again.bytes == written, "JSON that is written is read to the same")
    let decoded = try require("what is read is decoded") { try JSON.decode(JSON.self, from: body) }
    try require(decoded.bytes == written, "what is read is decoded to the same")
    let document = try require("what is read is encoded") { try JSON.encode(value, style: .document) }
    try require(
      (try? JSON(parsing: document))?.number == value.number, "a number in a document is the same number")
    try require(
      (try? JSONSerialization.jsonObject(with: Data(body), options: .fragmentsAllowed)) != nil,
      "what is read as JSON is JSON")
    try require(depth(of: value) <= JSONScanner.maximumDepth, "JSON lies no deeper than is allowed")
    for (name, operation) in operations where line.isEmpty || line.elementsEqual(name.utf8) {
      do throws(ControlPlaneError) {
        let known = try Violations.check(value, as: operation.input)
        let twice = try Violations.check(known, as: operation.input)
        guard twice.bytes == known.bytes else {
          throw ControlPlaneError(.internalFailure, "what was checked is checked to something else")
        }
      } catch {
        try require(
          [.validation, .serialization].contains(error.code), "\(name): a request is refused for what it says"
        )
        try requireSentence(error)
        try require((try? JSON(parsing: error.body.bytes)) != nil, "a refusal is JSON")
      }
    }
  })

private func depth(of value: JSON) -> Int {
  switch value {
  case .list(let elements): 1 + (elements.map(depth).max() ?? 0)
  case .object(let members): 1 + (members.values.map(depth).max() ?? 0)
  default: 0
  }
}

// MARK: JSONPath

let paths = FuzzTarget(
  "jsonpath",
  words: [
    "$", ".", "['", "']", "','", "[*]", "[-1]", "[1:", ":]", "[", "]", "'", ",", [0xcc, 0x81],
    "9223372036854775807",
  ],
  seeds: {
    [
      "$\n[1,2]", "$.a.b\n{\"a\":{\"b\":[1,2,3]}}", "$['a','b'][0]\n{\"a\":[1],\"b\":[2,3]}",
      "$[0,2]\n[1,2,3]",
      "$[-1]\n[1,2,3]", "$[1:3]\n[1,2,3,4]", "$[:-1]\n[1,2]", "$.*\n{\"a\":1,\"b\":[]}",
      "$[*].a\n[{\"a\":1},{\"a\":2}]",
      "$['a b']['c,d']['e]f']\n{\"a b\":{\"c,d\":{\"e]f\":5}}}",
    ].map { Array($0.utf8) }
  },
  check: { input, _ in
    let line = input.prefix { $0 != UInt8(ascii: "\n") }
    // As many characters as the API takes.
    guard let text = String(validating: line, as: UTF8.self), text.utf8.count <= 63 else { return }
    let path: JSONPath
    do throws(JSONPathError) { path = try JSONPath(text) } catch { return try requireSentence(error) }
    if let value = try? JSON(parsing: Array(input.dropFirst(line.count + 1))) {
      do throws(JSONPathError) {
        let found = try path.select(from: value)
        if path.steps.isEmpty, found.bytes != value.bytes {
          throw JSONPathError(description: "$ is the whole value")
        }
      } catch {
        try require(!path.steps.isEmpty, "$ selects the whole value")
        try requireSentence(error)
      }
    }
    // A value that has all that the path names.
    var (value, isOne) = (JSON.string("found"), true)
    for step in path.steps.reversed() {
      switch step {
      case .names(let names):
        value = .object(Dictionary(names.map { ($0, value) }) { first, _ in first })
        isOne = isOne && names.count == 1
      case .indices(let indices):
        guard indices.allSatisfy({ (-100..<100).contains($0) }) else { return }
        value = .list(Array(repeating: value, count: 101))
        isOne = isOne && indices.count == 1
      case .slice, .all: return
      }
    }
    let found = try require("what a path names is found") { try path.select(from: value) }
    if isOne { try require(found == "found", "a path to one value selects that value") }
    // The same path in the other spelling.
    if path.steps.allSatisfy({
      if case .names(let names) = $0 { names.allSatisfy { !$0.unicodeScalars.contains("'") } } else { false }
    }) {
      let spelled = path.steps.map { step in
        guard case .names(let names) = step else { return "" }
        return "[\(names.map { "'\($0)'" }.joined(separator: ", "))]"
      }
      try require((try? JSONPath("$" + spelled.joined())) == path, "names in quotes are taken as they stand")
    }
  })

// MARK: Records of a transform

private func tfRecord(_ data: [UInt8]) -> [UInt8] {
  (0..<8).map { UInt8(truncatingIfNeeded: data.count >> (8 * $0)) } + [1, 2, 3, 4] + data + [5, 6, 7, 8]
}

/// The first byte says how the rest is split, the second how much a record may have.
let recordSplits = FuzzTarget(
  "split",
  words: [
    [0x0d, 0x0a], [0x0a, 0x0a], [0x0a, 0x23, 0xd7, 0xce], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
  ],
  seeds: {
    let record: [UInt8] = [0x0a, 0x23, 0xd7, 0xce, 3, 0, 0, 0, 1, 2, 3, 0]
    return [
      [0, 20] + Array("whole".utf8), [1, 20] + Array("a,b\r\n\nc\nlast".utf8),
      [1, 4] + Array("1234\r\n1\n".utf8),
      [2, 20] + record + record, [3, 20] + tfRecord([1, 2, 3]) + tfRecord([]) + tfRecord([9]),
    ]
  },
  check: { input, scratch in
    let splits: [RecordSplit] = [.none, .line, .recordIO, .tfRecord]
    guard input.count >= 2 else { return }
    let (split, limit, content) = (splits[Int(input[0] % 4)], Int(input[1]), Array(input.dropFirst(2)))
    let path = try scratch.file(content)
    func read(inBlocksOf byteCount: Int) throws -> (records: [[UInt8]], fault: String?) {
      var records: [[UInt8]] = []
      do {
        var splitter = try RecordSplitter(
          path, split, limit: PayloadLimit(limit), blockByteCount: byteCount)
        while let record = try splitter.next() {
          records.append(record)
          guard records.count <= content.count + 1 else { break }
        }
        return (records, nil)
      } catch {
        try requireSentence(error)
        return (records, "\(error)")
      }
    }
    let (records, fault) = try read(inBlocksOf: 1 << 16)
    try require(records.count <= content.count + 1, "there are no more records than bytes")
    try require(records.allSatisfy { $0.count <= limit }, "no record is larger than allowed")
    let small = try read(inBlocksOf: 3)
    try require(
      small.records == records && small.fault == fault, "records do not depend on how a file is read")
    switch split {
    case .none:
      try require((fault == nil) == (content.count <= limit), "a file is a record if it is small enough")
    case .line:
      // What ends without a line end has no carriage return that is of one.
      var lines = content.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map {
        Array($0)
      }
      for place in lines.indices.dropLast() where lines[place].last == UInt8(ascii: "\r") {
        lines[place].removeLast()
      }
      lines.removeAll { $0.isEmpty }
      let most = lines.firstIndex { $0.count > limit } ?? lines.count
      try require(
        records == Array(lines[..<most]), "records are the lines of the file, up to one that is too long")
      try require((fault == nil) == (most == lines.count), "lines are refused for their length alone")
    case .tfRecord:
      var offset = 0
      for record in records {
        let frame = content[offset..<min(content.count, offset + 16 + record.count)]
        try require(
          frame.count == 16 + record.count && frame.dropFirst(12).dropLast(4).elementsEqual(record),
          "a record is whole, with its frame")
        offset = frame.endIndex
      }
      try require(fault != nil || offset == content.count, "nothing is left of a file without a fault")
    case .recordIO: break
    }
    // In payloads.
    guard fault == nil else { return }
    var splitter = try RecordSplitter(path, split, limit: PayloadLimit(limit))
    var joined: [[UInt8]] = []
    while true {
      let payload = try splitter.next(atMost: 3, byteCount: 40)
      if payload.isEmpty { break }
      let byteCount = payload.reduce(0) { $0 + $1.count }
      try require(
        payload.count <= 3 && (byteCount <= 40 || payload.count == 1), "a payload is no larger than asked")
      joined += payload
    }
    try require(joined == records, "payloads hold the records, each once and in order")
  })

// MARK: Forms

private func form(_ parts: [(name: String, file: String?, bytes: [UInt8])], boundary: String) -> [UInt8] {
  var body: [UInt8] = []
  for part in parts {
    body += "--\(boundary)\r\nContent-Disposition: form-data; name=\"\(part.name)\"".utf8
    if let file = part.file { body += "; filename=\"\(file)\"\r\nContent-Type: image/jpeg".utf8 }
    body += "\r\n\r\n".utf8 + part.bytes + "\r\n".utf8
  }
  return body + "--\(boundary)--\r\n".utf8
}

/// The first line is the content type.
let forms = FuzzTarget(
  "multipart",
  words: [
    "\r\n", "--", "\r\n--b", "--b--", "\r\n\r\n", "name=", "filename=\"", "; ", "boundary=",
    "Content-Disposition: form-data",
    "Content-Type: ", [0xcc, 0x81], [0xff],
  ],
  seeds: {
    let head = Array("multipart/form-data; boundary=b\r\n".utf8)
    return [
      head
        + form(
          [("top", nil, [0x35]), ("image", "a;b\u{301}.jpg", [0xff, 0xd8, 0x0d, 0x0a, 0x2d, 0x2d])],
          boundary: "b"),
      head + form([], boundary: "b"),
      Array("multipart/form-data; charset=x; boundary=\"b\"\r\n".utf8)
        + form([("a", nil, [])], boundary: "b"),
    ]
  },
  check: { input, _ in
    let line = input.prefix { $0 != UInt8(ascii: "\r") }
    let (type, body) = (String(decoding: line, as: UTF8.self), Array(input.dropFirst(line.count + 2)))
    if let found = MultipartForm(body, contentType: type) {
      for (name, part) in found.parts {
        try require(part.bytes.count <= body.count, "a part comes from the body")
        if let text = found.text(name) { try require(!text.isEmpty, "a text is not empty") }
      }
    }
    // What a browser sends of any name and any bytes comes back.
    let name = String(
      decoding: String(decoding: line.prefix(60), as: UTF8.self).utf8.filter {
        ![0x22, 0x0D, 0x0A].contains($0)
      }, as: UTF8.self)
    let sent = form(
      [("first", nil, body), ("second", name, Array(body.reversed()))],
      boundary: "----WebKitFormBoundary7MA4YWxkTrZu0gW")
    let got = try require("a form that is written is read") {
      MultipartForm(sent, contentType: "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW")
    }
    try require(
      got.parts.count == 2 && got.parts["first"]?.bytes == body
        && got.parts["second"]?.bytes == body.reversed(),
      "parts come back to the byte")
    try require(
      got.parts["second"]?.fileName.map { $0.utf8.elementsEqual(name.utf8) } == true, "a file keeps its name")
    for count in [sent.count - 5, sent.count / 2, 60] {
      try require(
        MultipartForm(
          Array(sent.prefix(count)),
          contentType: "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW")
          == nil, "a form that is cut short is none")
    }
  })
