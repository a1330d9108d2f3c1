import Encodings
import Files
import Foundation
import Glibc
import S3

/// The archives of the models that endpoints use, each content once.
///
/// `<endpoint>.json` says which ones an endpoint uses. It is written before they come down, and goes with the endpoint:
/// whatever ends the program, nothing that is used is removed, and nothing else stays.
actor ModelCopies {
  struct Copy: Hashable {
    /// `s3://bucket/key` of the archive.
    let data: ByteName
    let version: String
    /// The name of its folder.
    let folder: String
  }
  private struct Use {
    var present: [Copy]
    /// Of an update that is on its way.
    var coming: [Copy] = []
  }
  private let objects: any ObjectSource
  private let folder: String
  private var uses: [String: Use] = [:]

  private static let archive = "model.tar.gz"

  /// Removes what no endpoint used when the program ended.
  init(objects: any ObjectSource, folder: String) {
    (self.objects, self.folder) = (objects, folder)
    for name in Self.names(in: folder) where name.hasSuffix(".json") {
      uses[String(name.dropLast(".json".count))] = Use(present: Self.read(join(folder, name)))
    }
    Self.sweep(folder, keeping: uses, isBegin: true)
  }

  func path(of copy: Copy) -> String { join(join(folder, copy.folder), Self.archive) }

  /// Brings the archives that an endpoint is to use, beside those that it uses now. `accept` or `reject` follows.
  ///
  /// - Parameter isBegin: the endpoint was in service before: an archive that is not to be found any more is used as it
  ///   came then.
  func bring(_ archives: [S3Location], for endpoint: String, isBegin: Bool) async throws -> [Copy] {
    let former = uses[endpoint]?.present ?? []
    var copies: [Copy] = []
    for archive in archives { copies.append(try await copy(of: archive, isBegin ? former : [])) }
    uses[endpoint, default: Use(present: [])].coming = copies
    try write(endpoint)
    for (archive, copy) in zip(archives, copies) where FileStamp(path: path(of: copy)) == nil {
      let path = path(of: copy)
      try makeFolder(folderName(path))
      let partial = path + ".\(UUID().uuidString).partial"
      try await objects.download(archive, to: partial)
      guard unsafe rename(partial, path) == 0 else {
        throw FileError(.system(call: "rename", code: errno), path: path)
      }
    }
    return copies
  }

  /// The endpoint uses what was brought, and nothing else.
  func accept(_ endpoint: String) { change(endpoint) { $0.present = $0.coming } }

  /// The endpoint goes on with what it had.
  func reject(_ endpoint: String) { change(endpoint) { _ in } }

  /// The endpoint is gone.
  func release(_ endpoint: String) { change(endpoint) { $0.present = [] } }

  private func change(_ endpoint: String, _ body: (inout Use) -> Void) {
    guard var use = uses[endpoint] else { return }
    body(&use)
    use.coming = []
    uses[endpoint] = use.present.isEmpty ? nil : use
    // With an older list more stays than is used, and nothing is lost.
    try? write(endpoint)
    Self.sweep(folder, keeping: uses, isBegin: false)
  }

  private func copy(of archive: S3Location, _ former: [Copy]) async throws -> Copy {
    do {
      guard let version = try await objects.etag(of: archive) else {
        throw ControlPlaneError.invalid("there is no object \(archive)")
      }
      return Copy(
        data: ByteName(archive.description), version: version, folder: Self.name(of: "\(archive) \(version)"))
    } catch {
      guard !(error is CancellationError),
        let known = former.last(where: { $0.data == ByteName(archive.description) }),
        FileStamp(path: path(of: known)) != nil
      else { throw error }
      return known
    }
  }

  /// FNV-1a, 64 bits: a name for a folder.
  private static func name(of text: String) -> String {
    String(
      text.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }, radix: 16)
  }

  // MARK: Lists

  private func write(_ endpoint: String) throws {
    let path = join(folder, endpoint + ".json")
    guard let use = uses[endpoint] else {
      unsafe unlink(path)
      return
    }
    try makeFolder(folder)
    let copies = use.present + use.coming.filter { !use.present.contains($0) }
    let list = JSON.list(
      copies.map {
        ["data": .string($0.data.text), "version": .string($0.version), "folder": .string($0.folder)]
      })
    try writeFile(path, list.encoded)
  }

  private static func read(_ path: String) -> [Copy] {
    guard let bytes = try? readFile(path, limit: 1 << 20).bytes, let list = try? JSON(parsing: bytes) else {
      return []
    }
    return (list.list ?? []).compactMap { copy in
      guard let data = copy["data"]?.text, let version = copy["version"]?.text,
        let folder = copy["folder"]?.text
      else { return nil }
      return Copy(data: ByteName(data), version: version, folder: folder)
    }
  }

  private static func names(in folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
  }

  /// - Parameter isBegin: nothing comes down now: what a broken-off download left goes, too.
  private static func sweep(_ folder: String, keeping uses: [String: Use], isBegin: Bool) {
    let used = Set(uses.values.flatMap { $0.present + $0.coming }.map(\.folder))
    for name in names(in: folder) where isFolder(join(folder, name)) {
      let place = join(folder, name)
      if !used.contains(name) {
        try? FileManager.default.removeItem(atPath: place)
      } else if isBegin {
        for file in names(in: place) where file != archive {
          try? FileManager.default.removeItem(atPath: join(place, file))
        }
      }
    }
  }
}
