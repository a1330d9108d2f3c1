package import Files

/// - Throws: where no line of the list can be used; `FileError`.
package func checkIsList(_ list: String) throws {
  var reader = try ListReader(list)
  var firstProblem = "; it is empty"
  var hasProblem = false
  while let line = try reader.next() {
    switch line {
    case .entry: return
    case .bad(let reason, let line, _):
      if !hasProblem { firstProblem = "; line \(line): \(reason)" }
      hasProblem = true
    }
  }
  throw noList(list, firstProblem)
}

/// That no line of a list can be used: what the file is instead, where that is known, else what is wrong with a line.
package func noList(_ list: String, _ firstProblem: String) -> InputError {
  let kind = try? FileKind(ofFile: list)
  if let kind, kind != .text, kind != .list, kind != .empty {
    return InputError(
      "\(list): this is \(kind.name), not a list: lines of index, label and path with tabs between"
        + (kind.remedy.map { "; " + $0 } ?? ""))
  }
  return InputError("\(list): no line of the list can be used\(firstProblem)")
}

/// The file of a list entry's path, and the path that leads there from the root.
///
/// The field is taken as it is written. Where no such file is there, the blanks round it are dropped, as MXNet's reader
/// does; where none is there either, backslashes, which Windows writes, are read as slashes.
package func locate(_ path: String, root: String) -> (file: String, path: String) {
  let full = join(root, path)
  let isBlank: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 }
  let hasBlanks = path.utf8.first.map(isBlank) == true || path.utf8.last.map(isBlank) == true
  let hasBackslashes = path.utf8.contains(UInt8(ascii: "\\"))
  guard hasBlanks || hasBackslashes, FileStamp(path: full) == nil else { return (full, path) }
  let trimmed = Substring(path.utf8.drop(while: isBlank)).utf8.reversed().drop(while: isBlank).reversed()
  let bare = String(decoding: Array(trimmed), as: UTF8.self)
  guard hasBackslashes, FileStamp(path: join(root, bare)) == nil else { return (join(root, bare), bare) }
  let slashed = String(
    decoding: bare.utf8.map { $0 == UInt8(ascii: "\\") ? UInt8(ascii: "/") : $0 }, as: UTF8.self)
  return FileStamp(path: join(root, slashed)) == nil
    ? (join(root, bare), bare) : (join(root, slashed), slashed)
}

/// The path that exists below the root and looks like `path`, which does not: its name and those of its folders differ in
/// case or in Unicode form only, as happens to names that come from a Mac.
///
/// - Returns: nil where nothing, or more than one thing, looks like it.
/// - Complexity: O(entries of the folders on the way).
package func lookalike(of path: String, root: String) -> String? {
  var found = ""
  for part in path.utf8.split(separator: UInt8(ascii: "/")) {
    guard let name = String(part) else { return nil }
    let exact = found.isEmpty ? name : join(found, name)
    if FileStamp(path: join(root, exact)) != nil || isFolder(join(root, exact)) {
      found = exact
      continue
    }
    guard
      let listing = try? FolderListing(
        found.isEmpty ? root : join(root, found), keepsLitter: true, isImageName: { _ in true })
    else { return nil }
    // String's equality ignores the Unicode form.
    let alike = (listing.files + listing.folders).filter { $0.lowercased() == name.lowercased() }
    guard alike.count == 1, let other = alike.first else { return nil }
    found = found.isEmpty ? other : join(found, other)
  }
  return hasSameBytes(found, path) || found.isEmpty ? nil : found
}
