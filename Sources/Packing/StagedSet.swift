import Files

/// Several small staging files that are renamed together.
final class StagedSet {
  /// A class, because an array cannot hold the noncopyable `StagedFile`.
  private final class Member {
    var file: StagedFile?
    init(_ file: consuming StagedFile) { self.file = consume file }
  }
  private var members: [Member] = []

  /// - Returns: the path of the staging file, from which the lines can be read until `publish`.
  @discardableResult
  func add(_ path: String, lines: some Sequence<String>) throws(FileError) -> String {
    let member = Member(try StagedFile(path))
    members.append(member)
    for line in lines { try member.file?.append(line) }
    try member.file?.flush()
    return path + ".partial"
  }

  func publish() throws(FileError) {
    for member in members { try member.file?.sync() }
    for member in members { try member.file.take()?.publish() }
  }

  func discard() {
    for member in members { member.file.take()?.discard() }
  }
}
