package import Scoring

/// A table of a page.
package struct Table {
  /// One column of a table.
  package struct Column {
    var title: String
    var isNumber = false
    var hint: String?
  }

  let id: String
  let caption: String
  var columns: [Column] = []
  /// The rows so far, as markup.
  package private(set) var rows: [String] = []
  /// Whether the script offers a search field.
  package var isSearched = false
  /// Whether it is a matrix of counts, with narrow columns whose names are written upwards.
  var isMatrix = false
  /// What the table leaves out, and where that is.
  package var rest: String?

  /// A table whose first columns have text and whose last ones have numbers.
  package init(_ id: String, _ caption: String, text: [String] = [], numbers: [String] = []) {
    self.id = id
    self.caption = caption
    columns = text.map { Column(title: $0) } + numbers.map { Column(title: $0, isNumber: true) }
  }

  /// Adds a row.
  /// - Parameter id: an anchor for links to the row.
  package mutating func add(_ cells: [Node], id: String? = nil) {
    var row = id.map { "<tr id=\"\(PageText().escapeText($0))\">" } ?? "<tr>"
    for cell in cells { cell.writeCell(to: &row) }
    rows.append(row + "</tr>\n")
  }

  /// The data of the template; `nil` where there are no rows.
  var node: Node? {
    if rows.isEmpty { return nil }
    return [
      "tableID": id, "caption": caption, "isSearched": isSearched, "isMatrix": isMatrix,
      "isTall": rows.count > 18 && !isMatrix, "rest": rest,
      "columns": columns.map { column -> Node in
        ["title": column.title, "isNumber": column.isNumber, "hint": column.hint]
      }, "rows": rows.joined(),
    ]
  }
}

extension Node {
  /// Writes the markup of a cell with the names that `Cell` gives.
  ///
  /// Cells are not a template: a page has thousands of them, and mustache looks for each of a dozen optional names in
  /// each cell, which took most of the time of a page.
  fileprivate func writeCell(to markup: inout String) {
    let isHead = self["isHead"] as? Bool ?? false
    if isHead {
      markup += "<th scope=\"row\">"
    } else {
      markup += "<td"
      if self["isRight"] as? Bool ?? false { markup += " class=\"n\"" }
      if self["heat"] != nil { markup += " class=\"n h\(text("heat"))\"" }
      markup += ">"
    }
    if let pair = self["pair"] as? Node {
      markup += "\(pair.link(to: "pairHrefA", "pairA")) <i>\(pair.text("pairWord"))</i> "
      markup += pair.link(to: "pairHrefB", "pairB")
    }
    if self["full"] != nil {
      markup += "<details class=\"long\"><summary><bdi>\(text("words"))</bdi></summary>"
      markup += "<bdi>\(text("full"))</bdi></details>"
    } else {
      markup += self["href"] == nil ? text("words") : link(to: "href", "words")
    }
    if let state = self["state"] as? Node {
      markup += "<span class=\"state \(state.text("stateStyle"))\">\(state.text("stateWords"))</span>"
    }
    if let bar = self["bar"] as? Node {
      markup += "<svg class=\"bar\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
      markup += "<rect class=\"track\" width=\"100\" height=\"8\"/>"
      markup += "<rect class=\"span\" x=\"\(bar.text("low"))\" width=\"\(bar.text("span"))\" height=\"8\"/>"
      markup += "<rect class=\"at\" x=\"\(bar.text("at"))\" width=\"2\" height=\"8\"/></svg>"
    }
    if let chips = (self["chips"] as? Node)?["chipList"] as? [Node] {
      markup += "<span class=\"chips\">"
      for chip in chips {
        markup += "<a href=\"\(chip.text("chipHref"))\"><bdi>\(chip.text("chipWords"))</bdi> "
        markup += "<b>\(chip.text("chipCount"))</b></a> "
      }
      markup += "</span>"
    }
    markup += isHead ? "</th>\n" : "</td>\n"
  }

  private func link(to href: String, _ words: String) -> String {
    "<a href=\"\(text(href))\"><bdi>\(text(words))</bdi></a>"
  }

  /// The text of a name, escaped; empty where it is absent.
  private func text(_ name: String) -> String { (self[name] as? String).map(PageText().escapeText) ?? "" }
}

/// Cells of a table.
package enum Cell {
  /// Text that is short.
  package static func text(_ text: String) -> Node { ["words": text] }
  /// A number that is already text.
  package static func number(_ text: String) -> Node { ["words": text, "isRight": true] }
  /// A whole number, with commas between the thousands.
  package static func number(_ value: Int) -> Node { number(whole(value)) }
  /// A fraction as a percentage; a dash for `nil`.
  package static func percent(_ value: Double?) -> Node { number(value.map { Reporting.percent($0) } ?? "–") }
  /// A number with this many decimals; a dash for `nil`.
  package static func decimal(_ value: Double?, _ count: Int = 4) -> Node {
    number(value.map { Reporting.decimal($0, count) } ?? "–")
  }
  /// An interval in words and as a bar on 0...1.
  package static func interval(_ estimate: Estimate?, hasBar: Bool = true) -> Node {
    guard let estimate else { return number("–") }
    if !hasBar { return number(range(estimate, 1)) }
    return [
      "words": range(estimate, 1), "isRight": true,
      "bar": [
        "low": coordinate(100 * estimate.low), "span": coordinate(100 * (estimate.high - estimate.low)),
        "at": coordinate(100 * estimate.value - 1),
      ] as Node,
    ]
  }
  /// A share of a whole, in words and as a bar.
  package static func share(_ value: Double) -> Node {
    [
      "words": Reporting.percent(value), "isRight": true,
      "bar": ["low": "0", "span": coordinate(100 * value), "at": "-5"] as Node,
    ]
  }
  /// The head of a row, with a link where it has a page of its own.
  package static func head(_ text: String, href: String? = nil) -> Node {
    ["words": clipped(text, to: 120), "href": href, "isHead": true]
  }
  /// A link.
  package static func link(_ text: String, to href: String) -> Node {
    ["words": clipped(text, to: 120), "href": href]
  }
  /// A state in a word, with a colour beside it.
  package static func state(_ words: String, _ mood: Mood) -> Node {
    ["state": ["stateStyle": "state-\(mood.rawValue)", "stateWords": words] as Node]
  }
  /// The colour of a state.
  package enum Mood: String, Sendable { case good, bad, active, idle }
  /// Text that may be long: if it is cut, it can be opened.
  package static func long(_ text: String, limit: Int = 72, href: String? = nil, isHead: Bool = false) -> Node
  {
    let short = clipped(text, to: limit)
    let isClipped = short != text && !text.isEmpty
    return [
      "words": short, "full": isClipped ? text : nil, "href": isClipped ? nil : href, "isHead": isHead,
    ]
  }
}

/// The head of a row, in words of the page itself.
func head(_ words: String) -> Node { ["words": words, "isHead": true] }
