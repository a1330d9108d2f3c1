import Scoring

extension ScorePage {
  /// Entries of a list in the page at most, and bytes of their text.
  static let listLimit = 500
  static let listByteLimit = 60_000

  /// What became of every image.
  var books: Section {
    let (invalid, missing) = (score.invalid.count, score.missing.count)
    var table = Table(
      "images-table", "What became of the images", text: ["Images"], numbers: ["Count", "Share"])
    let total = Double(max(1, score.images))
    for (name, count) in [("Scored", score.scored), ("Invalid", invalid), ("Missing", missing)] {
      table.add([head(name), Cell.number(count), Cell.share(Double(count) / total)])
    }
    table.add([head("All images"), Cell.number(score.images), Cell.share(score.images == 0 ? 0 : 1)])
    var odd = Table("odd-table", "Also counted", text: ["What", "What it means"], numbers: ["Count"])
    for (name, meaning, count) in [
      ("Unexpected outputs", "belong to no image; in none of the figures", score.unexpected.count),
      ("Unnormalised", "their probabilities do not sum to 1; scored as they are", score.unnormalised),
      ("Ties", "more than one class shares the largest probability; the lowest label was taken", score.ties),
      ("Labels only", "a class without probabilities", score.hardLabels),
      ("Duplicates", "their path had occurred before; each counts", score.duplicates),
    ] { odd.add([head(name), Cell.text(meaning), Cell.number(count)]) }
    return Section(
      "images", "Images accounted for",
      lead:
        "\(counted(score.images, "image")) = \(whole(score.scored)) scored + \(whole(invalid)) invalid + \(whole(missing)) missing. Nothing is dropped silently.",
      [
        Block.table(table), Block.table(odd),
        list("Invalid", score.invalid.map { ($0.path, $0.reason) }, "invalid-table", reasons: true),
        list("Missing: no output", score.missing.map { ($0, "") }, "missing-table"),
        list("Unexpected: no image", score.unexpected.map { ($0, "") }, "unexpected-table"),
      ])
  }

  private func list(
    _ title: String, _ items: [(path: String, reason: String)], _ id: String, reasons: Bool = false
  ) -> Node? {
    guard !items.isEmpty else { return nil }
    let (table, shown) = pathTable(id, title, items, reasons: reasons)
    return Block.fold(
      title, count: whole(items.count), isOpen: shown <= 10, [Block.table(table)].compactMap(\.self))
  }
}

/// A table of paths, as many as fit; it says how many more there are.
func pathTable(_ id: String, _ caption: String, _ items: [(path: String, reason: String)], reasons: Bool)
  -> (table: Table, shown: Int)
{
  var table = Table(id, caption, text: reasons ? ["Path", "Why"] : ["Path"])
  var byteCount = 0
  for item in items.prefix(ScorePage.listLimit) {
    byteCount += item.path.utf8.count + min(item.reason.utf8.count, 400)
    if byteCount > ScorePage.listByteLimit, !table.rows.isEmpty { break }
    var cells = [Cell.long(item.path, limit: 100, isHead: true)]
    if reasons { cells.append(Cell.text(clipped(item.reason, to: 400))) }
    table.add(cells)
  }
  let rest = items.count - table.rows.count
  if rest > 0 { table.rest = "\(whole(rest)) more; the JSON of the run names them all." }
  return (table, table.rows.count)
}
