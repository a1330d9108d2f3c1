import Encodings
import Foundation
internal import Mustache
import Scoring

/// The data of a whole report page, as its template needs them. The result is one file that makes no request.
struct ReportPage {
  var title: String
  var heading: String
  /// Where the figures come from.
  var origins: [(name: String, value: String)]
  var hero: Hero
  var sections: [Section]
  var footer: String
  /// JSON for the script, safe inside a script element.
  var data: String
  /// Thumbnails by their number, in the order of the file.
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

  /// The last line of a report.
  static func footer(program: String = "imrec") -> String {
    "Made by \(program). One file, no request to anywhere. The same input gives the same bytes."
  }

  /// - Returns: the file; the same for the same page, on every machine and day.
  /// - Complexity: O(bytes of the file), with some copies of them.
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
  /// The verdict of the gates; `nil` where there are none.
  var verdict: ReportPage.Verdict? {
    guard !isEmpty else { return nil }
    let failed = self.count { !$0.passed }
    return failed == 0
      ? ("passed", "✓", "All gates passed: \(count) of \(count)")
      : ("failed", "✗", "\(failed) of \(counted(count, "gate")) failed")
  }
}

/// The fixed parts of a page, which are compiled into the program.
enum Assets {
  struct Inline {
    let text: String
    /// The hash as a Content-Security-Policy names it.
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
      ("table", PackageResources.table_mustache), ("chart", PackageResources.chart_mustache),
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

/// The one escape for everything that a template prints.
///
/// mustache's own escape compares characters, so it leaves `"` with a combining mark after it as it is; this one works
/// on code points. Characters that cannot be seen, or that change the direction of writing, are made visible.
struct PageText: MustacheContentType {
  static let name = "PAGE"
  static func register() { MustacheContentTypes.register(PageText(), named: name) }

  func escapeText(_ text: String) -> String { escapedMarkup(printable(text)) }
}

/// The data of a template: names and their values.
///
/// A name without a value is absent, so its section is left out. Lookups use a dictionary, not reflection.
package struct Node: MustacheParent, ExpressibleByDictionaryLiteral {
  private var values: [String: Any] = [:]

  /// The data of a template; `nil` values are absent.
  package init(dictionaryLiteral elements: (String, Any?)...) {
    for (name, value) in elements { self[name] = value }
  }

  /// The value of a name; `nil` where it is absent.
  package subscript(name: String) -> Any? {
    get { values[name] }
    set { values[name] = newValue }
  }

  /// The value of a name, for mustache.
  package func child(named name: String) -> Any? { values[name] }
}

/// Parts of a section, as the template `block` knows them. Each has exactly one of its names.
package enum Block {
  /// A heading below that of the section.
  package static func heading(_ words: String) -> Node { ["subheading": words] }
  /// A paragraph.
  /// - Parameter style: a class of the style sheet.
  package static func text(_ words: String, style: String = "text") -> Node {
    ["paragraph": words, "paragraphStyle": style]
  }
  /// A paragraph in small print.
  package static func note(_ words: String) -> Node { text(words, style: "note") }

  /// A table; `nil` where it has no rows.
  package static func table(_ table: Table) -> Node? { table.node.map { ["table": $0] } }

  /// A drawing, with its figures as a table below it.
  package static func chart(_ chart: Chart, table: Table?, note: String? = nil) -> Node {
    var node = chart.node
    node["chartNote"] = note
    node["chartTable"] = table?.node
    return ["chart": node]
  }

  /// Blocks side by side, where the screen is wide enough.
  package static func columns(_ columns: [[Node]]) -> Node {
    ["columnsOf": ["columnBlocks": columns.map { ["blocks": $0] as Node }] as Node]
  }

  /// Blocks that the reader can open.
  package static func fold(_ title: String, count: String? = nil, isOpen: Bool = false, _ blocks: [Node])
    -> Node
  {
    ["fold": ["foldTitle": title, "foldCount": count, "isOpen": isOpen, "blocks": blocks] as Node]
  }

  /// An entry of a list of points: a head, its text, and a link.
  package struct Point {
    var head: String
    var words: String
    var href: String?

    /// A point; `href` is the address that its head links to.
    package init(head: String, words: String, href: String? = nil) {
      self.head = head
      self.words = words
      self.href = href
    }
  }

  /// A list of points.
  package static func points(_ points: [Point]) -> Node {
    [
      "points": [
        "pointList": points.map {
          ["pointHead": $0.head, "pointWords": $0.words, "pointHref": $0.href] as Node
        }
      ] as Node
    ]
  }

  /// Pictures with captions.
  package static func gallery(_ figures: [Node]) -> Node { ["gallery": ["figures": figures] as Node] }
}

/// A section of a page; reports list it in their contents.
package struct Section {
  /// The anchor of the section.
  package let id: String
  /// The heading.
  package let title: String
  /// A sentence below the heading.
  package var lead: String?
  /// The content.
  package var blocks: [Node]

  /// A section; blocks that are `nil` are left out.
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
