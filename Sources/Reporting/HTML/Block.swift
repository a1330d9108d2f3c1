/// A part of a section, as the template `block` knows it: exactly one of its names is there.
package enum Block {
  package static func heading(_ words: String) -> Node { ["subheading": words] }
  package static func text(_ words: String, style: String = "text") -> Node {
    ["paragraph": words, "paragraphStyle": style]
  }
  package static func note(_ words: String) -> Node { text(words, style: "note") }

  package static func table(_ table: Table) -> Node? { table.node.map { ["table": $0] } }

  /// A drawing, with the same figures as a table below it.
  package static func chart(_ chart: Chart, table: Table?, note: String? = nil) -> Node {
    var node = chart.node
    node["chartNote"] = note
    node["chartTable"] = table?.node
    return ["chart": node]
  }

  package static func columns(_ columns: [[Node]]) -> Node {
    ["columnsOf": ["columnBlocks": columns.map { ["blocks": $0] as Node }] as Node]
  }

  package static func fold(_ title: String, count: String? = nil, isOpen: Bool = false, _ blocks: [Node])
    -> Node
  {
    ["fold": ["foldTitle": title, "foldCount": count, "isOpen": isOpen, "blocks": blocks] as Node]
  }

  package struct Point {
    var head: String
    var words: String
    var href: String?

    package init(head: String, words: String, href: String? = nil) {
      self.head = head
      self.words = words
      self.href = href
    }
  }

  package static func points(_ points: [Point]) -> Node {
    [
      "points": [
        "pointList": points.map {
          ["pointHead": $0.head, "pointWords": $0.words, "pointHref": $0.href] as Node
        }
      ] as Node
    ]
  }

  package static func gallery(_ figures: [Node]) -> Node { ["gallery": ["figures": figures] as Node] }
}

/// A section of the page, also in its contents.
package struct Section {
  package let id: String
  package let title: String
  package var lead: String?
  package var blocks: [Node]

  package init(_ id: String, _ title: String, lead: String? = nil, _ blocks: [Node?]) {
    self.id = id
    self.title = title
    self.lead = lead
    self.blocks = blocks.compactMap(\.self)
  }

  var node: Node {
    ["sectionID": id, "sectionTitle": title, "sectionLead": lead, "blocks": blocks]
  }
}
