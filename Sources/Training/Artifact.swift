import Encodings
import Files
import Foundation
import Glibc
public import Imaging
public import Models

/// Writes the folder of a trained model: the files of SageMaker's algorithm (`image-classification-symbol.json`,
/// `image-classification-NNNN.params`, `model-shapes.json`), and `classes.txt` and `preprocess.json`, which it lacks.
///
/// Each file is written under a temporary name and renamed when complete. The parameter files of an earlier run are
/// removed after this run has written its first one.
public final class Artifact {
  /// The path of the folder.
  public let folder: String
  private let writer: ModelWriter
  private let network: ResNet
  private let batch: Int
  private let classes: [String]?
  private let preset: Preset
  private var hasWrittenNetwork = false
  /// Names of the parameter files that belong to this training; all others are removed.
  private var written: Set<String>

  /// What the names of the network's and the parameters' files begin with.
  public static let stem = "image-classification"
  /// The name of the archive in the folder.
  public static let archiveName = "model.tar.gz"

  /// - Parameters:
  ///   - folder: created if it does not exist.
  ///   - batch: the batch size that `model-shapes.json` names.
  ///   - classes: class names in the order of the outputs; nil: no `classes.txt` is written.
  ///   - preset: the preprocessing that inference must apply; written to `preprocess.json`.
  ///   - isResumed: whether parameter files already in the folder belong to this training, and are kept.
  /// - Throws: `FileError` if the folder cannot be created; `ModelError` if the network has no valid graph.
  public init(
    _ network: ResNet, folder: String, batch: Int, classes: [String]?, preset: Preset, isResumed: Bool = false
  ) throws {
    try makeFolder(folder)
    self.folder = folder
    self.network = network
    self.batch = batch
    self.classes = classes
    self.preset = preset
    writer = ModelWriter(network.symbol, try network.graph, folder: folder, stem: Self.stem)
    written = isResumed ? Set(Self.parameterNames(in: folder)) : []
  }

  /// The path of an epoch's parameter file; nil if that epoch was not stored. Epochs count from 1.
  func path(epoch: Int) -> String? {
    let path = writer.parametersPath(epoch: epoch)
    return FileStamp(path: path) == nil ? nil : path
  }

  /// Writes the parameters of an epoch; the first call also writes the network, `classes.txt` and `preprocess.json`.
  ///
  /// - Parameters:
  ///   - epoch: counts from 1.
  ///   - isOnly: whether the parameter files of this training's other epochs are removed.
  /// - Returns: the path of the parameter file.
  /// - Throws: `ModelError` or `FileError` if a file cannot be written.
  public func store(_ parameters: Parameters, epoch: Int, isOnly: Bool) throws -> String {
    if !hasWrittenNetwork { try writeNetwork() }
    let path = try writer.writeParameters(parameters, epoch: epoch)
    if isOnly { written = [] }
    written.insert(baseName(path))
    // Removed last: a run killed in between leaves one model too many, not one too few.
    for name in Self.parameterNames(in: folder) where !written.contains(name) {
      unsafe unlink(join(folder, name))
    }
    return path
  }

  private func writeNetwork() throws {
    try writer.writeNetwork(batch: batch)
    let classesPath = join(folder, "classes.txt")
    if let classes {
      try writeFile(classesPath, classes.map { $0 + "\n" }.joined())
    } else {
      // An earlier run may have left one that names other classes.
      unsafe unlink(classesPath)
    }
    try writeFile(join(folder, "preprocess.json"), JSON.text(preset, style: .line))
    hasWrittenNetwork = true
  }

  /// Writes `model.tar.gz` into the folder, with the model's files at its top level. Equal files give equal bytes.
  ///
  /// - Returns: the path of the archive.
  /// - Throws: `ModelError` if a file cannot be read or the archive cannot be written.
  public func archive() throws(ModelError) -> String {
    let others = ["\(Self.stem)-symbol.json", "model-shapes.json", "classes.txt", "preprocess.json"]
    let files = (Self.parameterNames(in: folder) + others).map { join(folder, $0) }
    let path = join(folder, Self.archiveName)
    try writeModelArchive(path, files: files.filter { FileStamp(path: $0) != nil })
    return path
  }

  /// The names in `folder` of the form `image-classification-NNNN.params`, sorted; NNNN has four or more digits.
  static func parameterNames(in folder: String) -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.filter { name in
      guard name.hasPrefix(stem + "-"), name.hasSuffix(".params") else { return false }
      let digits = name.dropFirst(stem.count + 1).dropLast(".params".count)
      return digits.utf8.count >= 4 && digits.utf8.allSatisfy { (48...57).contains($0) }
    }.sorted()
  }
}
