import Encodings
import Foundation
internal import Mustache
import Scoring

/// A whole page: what its template needs. Written once, it is one file that asks nobody for anything.
struct Page {
  var title: String
  var heading: String
  /// Where the figures come from.
  var origins: [(name: String, value: String)]
  var hero: Hero
  var sections: [Section]
  var footer: String
  /// What the script reads; JSON that is safe inside a script element.
  var data: String
  /// Pictures by their number, in the order of the file.
  var thumbs: [(number: Int, jpeg: [UInt8])] = []

  /// Whether the gates passed.
  typealias Verdict = (style: String, sign: String, words: String)

  struct Hero {
    var name: String
    var value: String
    var unit: String?
    var chart: Chart?
    var range: String
    var sentence: String
    var verdict: Verdict?
    var tiles: [(name: String, value: String, note: String)] = []

    var node: Node {
      [
        "heroName": name, "heroValue": value, "heroUnit": unit, "heroChart": chart?.node, "heroRange": range,
        "heroSentence": sentence,
        "heroVerdict": verdict.map {
          ["verdictStyle": $0.style, "verdictSign": $0.sign, "verdictWords": $0.words] as Node
        },
        "tiles": tiles.map {
          ["tileName": $0.name, "tileValue": $0.value, "tileNote": $0.note] as Node
        },
      ]
    }
  }

  /// - Returns: the file; the same for the same page, on every machine and day.
  /// - Complexity: O(bytes of the file), some copies of them.
  func html() -> String {
    let (css, script) = (Assets.style, Assets.script)
    let root: Node = [
      "pageTitle": title, "heading": heading, "hasOrigins": !origins.isEmpty,
      "origins": origins.map {
        ["originName": $0.name, "originValue": clipped($0.value, to: 120)] as Node
      }, "hero": hero.node, "sections": sections.map(\.node), "footer": footer, "data": data,
      "hasThumbs": !thumbs.isEmpty,
      "thumbs": thumbs.map {
        [
          "thumbNumber": "\($0.number)", "thumbData": base64Text($0.jpeg),
        ] as Node
      }, "css": css.text, "styleHash": css.policyHash, "script": script.text, "scriptHash": script.policyHash,
    ]
    return Assets.library.render(root, withTemplate: "page") ?? ""
  }
}

extension [GateResult] {
  /// `nil` where no gate was asked for.
  var verdict: Page.Verdict? {
    guard !isEmpty else { return nil }
    let failed = self.count { !$0.passed }
    return failed == 0
      ? ("passed", "✓", "All gates passed: \(count) of \(count)")
      : ("failed", "✗", "\(failed) of \(counted(count, "gate")) failed")
  }
}

/// The fixed parts of a page; they are in the program.
enum Assets {
  struct Inline {
    let text: String
    /// As a Content-Security-Policy names it.
    let policyHash: String

    init(_ bytes: [UInt8]) {
      text = String(decoding: bytes, as: UTF8.self)
      policyHash = "sha256-" + base64Text(Digest.of(bytes, .sha256))
    }
  }

  static let style = Inline(PackageResources.page_css)
  static let script = Inline(PackageResources.page_js)

  static let library: MustacheLibrary = {
    PageText.register()
    var templates: [String: MustacheTemplate] = [:]
    for (name, bytes) in [
      ("page", PackageResources.page_mustache), ("site", PackageResources.site_mustache),
      ("block", PackageResources.block_mustache),
      ("table", PackageResources.table_mustache), ("cell", PackageResources.cell_mustache),
      ("chart", PackageResources.chart_mustache),
    ] {
      do {
        templates[name] = try MustacheTemplate(string: String(decoding: bytes, as: UTF8.self))
      } catch {
        preconditionFailure("the template \(name) of the program cannot be read: \(error)")
      }
    }
    return MustacheLibrary(templates: templates)
  }()
}

/// How any text gets into a page: the one escape of everything a template prints.
///
/// mustache's own escape compares characters, so `"` with a combining mark behind it passes as it is; this one goes
/// by bytes. What cannot be seen or turns the direction of writing is made visible.
struct PageText: MustacheContentType {
  static let name = "PAGE"
  static func register() { MustacheContentTypes.register(PageText(), named: name) }

  func escapeText(_ text: String) -> String { escapedMarkup(visible(text)) }
}

/// One object of a template: names and what they stand for.
///
/// A name without a value is absent, so its section is left out. Lookups by dictionary, not by reflection.
package struct Node: MustacheParent, ExpressibleByDictionaryLiteral {
  private var values: [String: Any] = [:]

  package init(dictionaryLiteral elements: (String, Any?)...) {
    for (name, value) in elements { self[name] = value }
  }

  package subscript(name: String) -> Any? {
    get { values[name] }
    set { values[name] = newValue }
  }

  package func child(named name: String) -> Any? { values[name] }
}

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
