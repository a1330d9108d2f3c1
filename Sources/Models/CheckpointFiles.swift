import Files
import Glibc

/// The files of an MXNet model in a folder or an archive; files of other names are ignored.
struct CheckpointFiles {
  struct SmallFile {
    /// For messages.
    let path: String
    let bytes: [UInt8]
  }
  let symbol: SmallFile
  let parameters: Parameters
  let parametersPath: String
  let epoch: Int
  let shapes: SmallFile?, quantization: SmallFile?
  let classes: [UInt8]?, preset: [UInt8]?
  /// The names of `.params` files that belong to no symbol.
  let strays: [String]

  static let shapesName = "model-shapes.json", classesName = "classes.txt", presetName = "preprocess.json"
  private static let companionNames = [shapesName, classesName, presetName, Quantization.fileName]

  /// The role that a file has by its name.
  enum Role: Hashable {
    /// `STEM-symbol.json`
    case symbol(stem: ByteName)
    /// `STEM-NNNN.params`
    case parameters(stem: ByteName, epoch: Int)
    /// One of the files with a fixed name.
    case companion

    init?(_ name: String) {
      if CheckpointFiles.companionNames.contains(name) {
        self = .companion
      } else if name.hasByteSuffix("-symbol.json") {
        self = .symbol(stem: ByteName(text(name.utf8.dropLast("-symbol.json".utf8.count))))
      } else if name.hasByteSuffix(".params"), let dash = name.utf8.lastIndex(of: UInt8(ascii: "-")) {
        let digits = name.utf8[dash...].dropFirst().dropLast(".params".utf8.count)
        guard digits.count >= 4, digits.allSatisfy({ (48...57).contains($0) }), let epoch = Int(text(digits))
        else { return nil }
        self = .parameters(stem: ByteName(text(name.utf8[..<dash])), epoch: epoch)
      } else {
        return nil
      }
    }
  }

  init(folder: String, epoch: Int?) throws(ModelError) {
    let all = try fileNames(in: folder).filter { !isLitter($0) }
    let names = all.filter { Role($0) != nil }
    guard names.contains(where: { $0.hasByteSuffix("-symbol.json") }) else {
      throw ModelError("\(folder): there is no *-symbol.json; \(Self.advice(on: all, in: folder))")
    }
    let choice = try ModelChoice(names, epoch: epoch, label: folder)
    symbol = try Self.small(choice.symbol, in: folder)
    parametersPath = join(folder, choice.parameters)
    parameters = try Parameters(file: parametersPath)
    self.epoch = choice.epoch
    strays = choice.strays
    shapes = names.contains(Self.shapesName) ? try Self.small(Self.shapesName, in: folder) : nil
    quantization =
      names.contains(Quantization.fileName) ? try Self.small(Quantization.fileName, in: folder) : nil
    classes = names.contains(Self.classesName) ? try Self.small(Self.classesName, in: folder).bytes : nil
    preset = names.contains(Self.presetName) ? try Self.small(Self.presetName, in: folder).bytes : nil
  }

  init(archive path: String, epoch: Int?, limit: Int) throws(ModelError) {
    let archive = try ModelArchive(path, epoch: epoch, limit: limit)
    let names = archive.small.keys.map(\.text) + archive.large.keys.map(\.text)
    guard names.contains(where: { $0.hasByteSuffix("-symbol.json") }) else {
      let others = archive.others
      throw ModelError(
        "\(path): there is no *-symbol.json in it"
          + (others.isEmpty
            ? "; a model's archive has one and *-NNNN.params"
            : ", but \(shortList(others.map(shown))); unpack it and name a .safetensors or .onnx file itself")
      )
    }
    let choice = try ModelChoice(names, epoch: epoch, label: path)
    func small(_ name: String) -> SmallFile? {
      archive.small[ByteName(name)].map { SmallFile(path: "\(path): \(name)", bytes: $0) }
    }
    guard let symbol = small(choice.symbol), let file = archive.large[ByteName(choice.parameters)] else {
      throw ModelError("\(path): \(choice.symbol) and \(choice.parameters) are expected")
    }
    self.symbol = symbol
    parametersPath = "\(path): \(choice.parameters)"
    parameters = try file.parameters(label: parametersPath)
    self.epoch = choice.epoch
    strays = choice.strays
    shapes = small(Self.shapesName)
    quantization = small(Quantization.fileName)
    classes = small(Self.classesName)?.bytes
    preset = small(Self.presetName)?.bytes
  }

  /// `classes.txt` and `preprocess.json` of a folder; nil where there are none.
  static func companions(in folder: String) throws(ModelError) -> (classes: [UInt8]?, preset: [UInt8]?) {
    func bytes(_ name: String) throws(ModelError) -> [UInt8]? {
      FileStamp(path: join(folder, name)) == nil ? nil : try small(name, in: folder).bytes
    }
    return (try bytes(classesName), try bytes(presetName))
  }

  /// What to do with a folder that has no symbol but may hold a model of another format.
  private static func advice(on names: [String], in folder: String) -> String {
    let others = names.sorted(by: precedes).filter(isOtherModel)
    let readable = others.filter { name in readableSuffixes.contains { name.hasByteSuffix($0) } }
    if !readable.isEmpty {
      return "name the model itself: \(shortList(readable.map { shown(join(folder, $0)) }))"
    }
    for name in others {
      if let kind = try? FileKind(ofFile: join(folder, name)) { return "\(shown(name)) is \(kind)" }
    }
    return "a model's folder has one and *-NNNN.params"
  }

  private static let readableSuffixes = [".safetensors", ".onnx", ".tar", ".tar.gz", ".tgz"]
  private static let otherSuffixes = [".pth", ".pt", ".bin", ".ckpt", ".h5", ".keras", ".pb", ".pkl"]

  /// Whether a file's name is that of a model of another format.
  static func isOtherModel(_ name: String) -> Bool {
    (readableSuffixes + otherSuffixes).contains { name.hasByteSuffix($0) }
  }

  private static func small(_ name: String, in folder: String) throws(ModelError) -> SmallFile {
    let path = join(folder, name)
    do {
      return SmallFile(path: path, bytes: try readFile(path, limit: Symbol.largestByteCount).bytes)
    } catch { throw ModelError(error) }
  }
}

/// Removes the files of an MXNet model from a folder, the symbol first, and leaves all others.
///
/// - Throws: where the folder cannot be read, or a file cannot be removed.
public func removeModelFiles(in folder: String) throws(ModelError) {
  let found = try fileNames(in: folder).compactMap { name in CheckpointFiles.Role(name).map { ($0, name) } }
  let symbols = found.filter { if case .symbol = $0.0 { true } else { false } }
  for (_, name) in symbols + found.filter({ if case .symbol = $0.0 { false } else { true } }) {
    let path = join(folder, name)
    guard unsafe unlink(path) == 0 || errno == ENOENT else {
      throw ModelError(FileError(.system(call: "remove", code: errno), path: path))
    }
  }
}

/// Which symbol and which parameters belong together.
struct ModelChoice {
  let symbol: String
  let parameters: String
  let epoch: Int
  /// The names of `.params` files whose stem is not the symbol's.
  let strays: [String]

  /// - Throws: where there is not exactly one symbol, or no parameters (of that epoch) belong to it.
  init(_ names: [String], epoch: Int?, label: String) throws(ModelError) {
    var stems: [ByteName] = []
    var own: [(epoch: Int, name: String)] = []
    var strays: [String] = []
    let roles = names.sorted(by: precedes).map { ($0, CheckpointFiles.Role($0)) }
    for case (_, .symbol(let stem)?) in roles { stems.append(stem) }
    guard let stem = stems.first else { throw ModelError("\(label): there is no *-symbol.json in it") }
    guard stems.count == 1 else {
      throw ModelError(
        "\(label): there are \(stems.count) models (\(shortList(stems.map { shown($0.text + "-symbol.json") }))); one is expected"
      )
    }
    for case (let name, .parameters(let other, let epoch)?) in roles {
      if other == stem { own.append((epoch, name)) } else { strays.append(name) }
    }
    let epochs = shortList(own.map(\.epoch).sorted().map(String.init))
    guard let chosen = own.filter({ epoch == nil || $0.epoch == epoch }).max(by: { $0.epoch < $1.epoch })
    else {
      throw ModelError(
        "\(label): there is no \(shown(stem.text))-\(epoch.map(epochDigits) ?? "NNNN").params"
          + (own.isEmpty
            ? strays.isEmpty ? "" : "; the parameters there have other names: \(shortList(strays.map(shown)))"
            : "; the epochs there are \(epochs)"))
    }
    symbol = stem.text + "-symbol.json"
    parameters = chosen.name
    self.epoch = chosen.epoch
    self.strays = strays
  }
}

private func text(_ bytes: Substring.UTF8View) -> String { String(decoding: bytes, as: UTF8.self) }

/// Four digits or more, as MXNet's `%04d`.
func epochDigits(_ epoch: Int) -> String {
  let digits = String(epoch)
  return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
}

/// The names in a folder that are UTF-8.
private func fileNames(in folder: String) throws(ModelError) -> [String] {
  guard let handle = unsafe opendir(folder) else {
    throw ModelError(FileError(.system(call: "open", code: errno), path: folder))
  }
  defer { unsafe closedir(handle) }
  var names: [String] = []
  while let entry = unsafe readdir(handle) {
    let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
      unsafe String(validating: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    if let name { names.append(name) }
  }
  return names
}
