import Files
import Glibc

/// The files of a model, found in a folder or an archive; those of other names are left alone.
struct ModelFiles {
  struct SmallFile {
    /// For messages.
    let path: String
    let bytes: [UInt8]
  }
  let symbol: SmallFile
  let parameters: Parameters
  let parametersPath: String
  let epoch: Int
  let shapes: SmallFile?
  let classes: [UInt8]?, preset: [UInt8]?

  static let shapesName = "model-shapes.json", classesName = "classes.txt", presetName = "preprocess.json"

  /// What a file's name says of it.
  enum Role: Hashable {
    /// `STEM-symbol.json`
    case symbol(stem: String)
    /// `STEM-NNNN.params`
    case parameters(stem: String, epoch: Int)
    /// One of the three with a fixed name.
    case beside

    init?(_ name: String) {
      if [ModelFiles.shapesName, ModelFiles.classesName, ModelFiles.presetName].contains(name) {
        self = .beside
      } else if name.hasSuffix("-symbol.json") {
        self = .symbol(stem: String(name.dropLast("-symbol.json".count)))
      } else if name.hasSuffix(".params"), let dash = name.lastIndex(of: "-") {
        let digits = name[name.index(after: dash)...].dropLast(".params".count)
        guard digits.utf8.count >= 4, digits.utf8.allSatisfy({ (48...57).contains($0) }),
          let epoch = Int(digits)
        else { return nil }
        self = .parameters(stem: String(name[..<dash]), epoch: epoch)
      } else {
        return nil
      }
    }
  }

  init(folder: String, epoch: Int?) throws(ModelError) {
    let names = try regularNames(in: folder)
    let choice = try ModelChoice(names, epoch: epoch, label: folder)
    symbol = try Self.small(choice.symbol, in: folder)
    parametersPath = join(folder, choice.parameters)
    parameters = try Parameters(file: parametersPath)
    self.epoch = choice.epoch
    shapes = names.contains(Self.shapesName) ? try Self.small(Self.shapesName, in: folder) : nil
    classes = names.contains(Self.classesName) ? try Self.small(Self.classesName, in: folder).bytes : nil
    preset = names.contains(Self.presetName) ? try Self.small(Self.presetName, in: folder).bytes : nil
  }

  init(archive path: String, epoch: Int?, limit: Int) throws(ModelError) {
    let archive = try ModelArchive(path, epoch: epoch, limit: limit)
    let choice = try ModelChoice(Set(archive.small.keys).union(archive.large.keys), epoch: epoch, label: path)
    func small(_ name: String) -> SmallFile? {
      archive.small[name].map { SmallFile(path: "\(path): \(name)", bytes: $0) }
    }
    guard let symbol = small(choice.symbol), let file = archive.large[choice.parameters] else {
      throw ModelError("\(path): \(choice.symbol) and \(choice.parameters) are expected")
    }
    self.symbol = symbol
    parametersPath = "\(path): \(choice.parameters)"
    parameters = try file.parameters(label: parametersPath)
    self.epoch = choice.epoch
    shapes = small(Self.shapesName)
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

  private static func small(_ name: String, in folder: String) throws(ModelError) -> SmallFile {
    let path = join(folder, name)
    do {
      return SmallFile(path: path, bytes: try readFile(path, limit: Symbol.largestByteCount).bytes)
    } catch { throw ModelError(error) }
  }
}

/// Which of the files belong together.
struct ModelChoice {
  let symbol: String
  let parameters: String
  let epoch: Int

  /// - Throws: where there is no symbol or are several, or no parameters belong to it (of that epoch).
  init(_ names: Set<String>, epoch: Int?, label: String) throws(ModelError) {
    var stems: [String] = []
    var found: [(stem: String, epoch: Int, name: String)] = []
    for name in names.sorted() {
      switch ModelFiles.Role(name) {
      case .symbol(let stem): stems.append(stem)
      case .parameters(let stem, let epoch): found.append((stem, epoch, name))
      case .beside, nil: break
      }
    }
    guard let stem = stems.first else { throw ModelError("\(label): there is no *-symbol.json") }
    guard stems.count == 1 else {
      let names = stems.prefix(3).map { shown($0) + "-symbol.json" }.joined(separator: ", ")
      throw ModelError("\(label): there are \(stems.count) models (\(names)); one is expected")
    }
    let own = found.filter { $0.stem == stem }
    let epochs = shortList(own.map(\.epoch).sorted().map(String.init))
    guard let chosen = own.filter({ epoch == nil || $0.epoch == epoch }).max(by: { $0.epoch < $1.epoch })
    else {
      throw ModelError(
        "\(label): there is no \(shown(stem))-\(epoch.map(epochDigits) ?? "NNNN").params"
          + (own.isEmpty ? "" : "; epochs there are: \(shown(epochs))"))
    }
    symbol = stem + "-symbol.json"
    parameters = chosen.name
    self.epoch = chosen.epoch
  }
}

/// Four digits or more, as MXNet's `%04d`.
private func epochDigits(_ epoch: Int) -> String {
  let digits = String(epoch)
  return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
}

/// The names in a folder that a model's files have.
private func regularNames(in folder: String) throws(ModelError) -> Set<String> {
  guard let handle = unsafe opendir(folder) else {
    throw ModelError(FileError(.system(call: "open", code: errno), path: folder))
  }
  defer { unsafe closedir(handle) }
  var names: Set<String> = []
  while let entry = unsafe readdir(handle) {
    let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
      unsafe String(validating: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    if let name, ModelFiles.Role(name) != nil { names.insert(name) }
  }
  return names
}
