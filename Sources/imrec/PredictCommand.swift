import ArgumentParser
import Encodings
import Files
import Inference
import Terminal

struct PredictCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "predict",
    abstract: "Show the most probable classes of a few images.",
    discussion: """
      MODEL is a folder or model.tar.gz with *-symbol.json and *-NNNN.params, a .safetensors file of torchvision, or an .onnx file.
      Exits 2 if an image is skipped, 1 if all are.
      EXAMPLE: imrec predict model.tar.gz dog.jpg cat.png --classes classes.txt
      """)

  @Argument(help: "The model: a folder, an archive, or a .safetensors or .onnx file.")
  var model: String
  @Argument(help: "JPEG or PNG files.")
  var images: [String]
  @Option(
    help: ArgumentHelp(
      "Classes shown for each image, the most probable first. (default: 5)", valueName: "count"),
    transform: wholeNumber(1...1_000_000))
  var top = 5
  @OptionGroup(title: "Model") var options: ModelOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  private struct Result: Encodable {
    var images: [Image] = []
    var skipped: [SkippedImage] = []
  }
  private struct Image: Encodable {
    let path: String
    let top: [Guess]
  }
  private struct Guess: Encodable {
    let label: Int
    let name: String?
    let probability: Float
  }
  private struct SkippedImage: Encodable {
    let path: String
    let reason: String
  }

  func run() throws {
    let classifier = try options.load(model, batch: min(32, images.count), words: output.words)
    var result = Result()
    var texts: [String] = []
    let style = TextStyle()
    var start = 0
    while start < images.count {
      // A batch at a time, so that memory does not grow with the number of images.
      let paths = Array(images[start..<min(images.count, start + classifier.largestBatch)])
      start += paths.count
      for (path, answer) in zip(paths, classify(paths, classifier)) {
        switch answer {
        case .failure(let reason): result.skipped.append(SkippedImage(path: path, reason: reason.text))
        case .success(let probabilities):
          let image = Image(path: path, top: best(probabilities, classifier.classes))
          if output.json { result.images.append(image) } else { texts.append(table(image, style)) }
        }
      }
    }
    output.words.skipped(result.skipped.map { ($0.path, $0.reason) })
    let skippedCount = result.skipped.count
    try output.finish(result, skippedCount: skippedCount, doneCount: images.count - skippedCount) {
      texts.joined(separator: "\n")
    }
  }

  private struct Reason: Error { let text: String }

  private func classify(_ paths: [String], _ classifier: Classifier) -> [Swift.Result<[Float], Reason>] {
    let files = paths.map { path -> Swift.Result<[UInt8], Reason> in
      do throws(FileError) { return .success(try readFile(path, limit: 1 << 30).bytes) } catch {
        return .failure(Reason(text: error.sentence))
      }
    }
    var answers = classifier.classifyHere(files.compactMap { try? $0.get() })[...]
    return files.map { file in
      file.flatMap { _ in
        (answers.popFirst() ?? .failure(.notFinite)).mapError { Reason(text: $0.description) }
      }
    }
  }

  private func best(_ probabilities: [Float], _ classes: [String]?) -> [Guess] {
    // Ties in label order, as a stable sort would leave them.
    let order = probabilities.indices.sorted {
      (probabilities[$1], $0) < (probabilities[$0], $1)
    }
    return order.prefix(top).map { label in
      Guess(label: label, name: classes?[label], probability: probabilities[label])
    }
  }

  /// "  42.3 %  ████████▍            dog"
  private func table(_ image: Image, _ style: TextStyle) -> String {
    let width = 20
    var lines = [style.heading(fitted(printable(image.path), style.width))]
    for guess in image.top {
      let share = max(0, min(1, Double(guess.probability)))
      let full = (0...width).last { Double($0) <= share * Double(width) + 0.5 } ?? 0
      let bar = String(repeating: "█", count: full) + style.quiet(String(repeating: "░", count: width - full))
      let name = printable(guess.name ?? "class \(guess.label)")
      lines.append(
        "  \(leftPadded(oneDecimal(share * 100), 5)) %  \(bar)  \(fitted(name, style.width - width - 13))")
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
