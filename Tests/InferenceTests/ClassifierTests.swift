import Imaging
import InferenceTestSupport
import Networks
import TestSupport
import Testing

@testable import Inference

@Suite("The classifier")
struct ClassifierTests {
  @Test("gives an image the same bytes whatever batch it is in")
  func batches() throws {
    let classifier = try makeClassifier(StubNetwork())
    let images = try (1...70).map { try jpeg(seed: $0) }
    let together = classifier.classifyHere(images)
    let alone = images.map { classifier.classifyHere([$0])[0] }
    #expect(together == alone && Set(alone).count == 70)
    #expect(classifier.classifyHere(images.reversed()) == together.reversed())
  }

  @Test("gives a bad image its own error, and the others what they would have had", arguments: [0, 1, 4])
  func badImages(_ place: Int) throws {
    let classifier = try makeClassifier(StubNetwork())
    var images = try (1...5).map { try jpeg(seed: $0) }
    let good = classifier.classifyHere(images)
    images[place] = Array(images[place].prefix(100))
    let results = classifier.classifyHere(images)
    for index in images.indices {
      if index == place {
        guard case .failure(.image(let error)) = results[index] else {
          Issue.record("image \(index) is bad")
          continue
        }
        #expect("\(error)".contains("cut short"))
      } else {
        #expect(results[index] == good[index])
      }
    }
    #expect(classifier.classifyHere([[], [1, 2, 3]]).allSatisfy { (try? $0.get()) == nil })
    #expect(classifier.classifyHere([]).isEmpty)
  }

  @Test("converts scores to probabilities, and leaves a softmax's output as it is")
  func softmax() throws {
    let image = try jpeg()
    let scores = try makeClassifier(StubNetwork()).classifyHere([image])[0].get()
    let shares = try makeClassifier(StubNetwork(givesProbabilities: false)).classifyHere([image])[0].get()
    #expect(abs(shares.reduce(0, +) - 1) < 1e-6)
    #expect(
      scores.indices.max { scores[$0] < scores[$1] } == shares.indices.max { shares[$0] < shares[$1] })
  }

  @Test("refuses names that are not as many as the outputs, and tensors of another shape")
  func mismatches() throws {
    #expect(throws: ClassifierError("there are 2 class names, the network has 3 outputs")) {
      try makeClassifier(StubNetwork(), classes: ["a", "b"])
    }
    #expect(
      throws: ClassifierError("preprocessing makes tensors of 3x8x9, the network takes 3x8x8")
    ) {
      try Classifier(
        network: StubNetwork(), preset: Preset(shape: [3, 8, 9]), cores: Cores(Workers(count: 1)))
    }
  }

  @Test("reads class names of files with LF, CRLF and a byte order mark, and names a bad line")
  func names() throws {
    for text in ["a\nb c\n", "a\r\nb c", "\u{FEFF}a\nb c\n"] {
      #expect(try classNames(Array(text.utf8), path: "c") == ["a", "b c"])
    }
    #expect(throws: ClassifierError("c: line 2 is empty; a class name on each line is expected")) {
      try classNames(Array("a\n\nb\n".utf8), path: "c")
    }
    #expect(throws: ClassifierError("c: line 1 is not UTF-8; a class name on each line is expected")) {
      try classNames([0x61, 0xFF, 0x0A], path: "c")
    }
    #expect(
      throws: ClassifierError("c: this is an HTML page; a text file, a class name on each line, is expected")
    ) {
      try classNames(Array("<!DOCTYPE html>\n".utf8), path: "c")
    }
  }

  @Test("writes numbers that read back to the same bits, in both formats")
  func text() throws {
    let numbers: [Float] = [0, 1, 0.1, 1e-30, .leastNonzeroMagnitude, 0.333_333_34]
    let json = String(decoding: PredictionFormat.json.text(numbers), as: UTF8.self)
    let lines = String(decoding: PredictionFormat.jsonlines.text(numbers), as: UTF8.self)
    #expect(lines == "{\"prediction\": \(json)}\n")
    let named = String(
      decoding: PredictionFormat.verbose.text([0.25, 0.5, 0.25], classes: ["a,]", "\"ä\"", "c"]),
      as: UTF8.self)
    let names = #"["a,]", "\"\u00e4\"", "c"]"#
    #expect(
      named
        == #"{"probabilities": [0.25, 0.5, 0.25], "labels": \#(names), "predicted_label": "\"\u00e4\""}"#
        + "\n")
    let numbered = String(decoding: PredictionFormat.verbose.text([0.5, 0.5]), as: UTF8.self)
    #expect(
      numbered == #"{"probabilities": [0.5, 0.5], "labels": ["0", "1"], "predicted_label": "0"}"# + "\n")
    let read = json.dropFirst().dropLast().split(separator: ",").map { Float($0.drop { $0 == " " }) }
    #expect(read == numbers)
  }
}
