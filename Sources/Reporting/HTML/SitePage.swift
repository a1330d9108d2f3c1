import Encodings
internal import Mustache

/// A page of a web application: the look of the reports, with navigation and forms. Style and script are files of the
/// same server.
package struct SitePage {
  /// The title of the document.
  package var title: String
  /// The heading of the page.
  package var heading: String
  /// Links to the main pages.
  package var navigation: [(words: String, href: String, isCurrent: Bool)] = []
  /// Links to the pages above this one.
  package var trail: [(words: String, href: String)] = []
  /// The state of what the page is about, in a word.
  package var state: (words: String, mood: Cell.Mood)?
  /// A message at the top of the page.
  package var notice: (words: String, isGood: Bool)?
  /// Facts below the heading.
  package var facts: [(name: String, value: String, href: String?)] = []
  /// The content.
  package var sections: [Section] = []
  /// The last line.
  package var footer = ""
  /// The address of Server-Sent Events that tell the script of changes; without script the page is reloaded every 10
  /// seconds.
  package var live: String?

  /// An empty page.
  package init(_ title: String, heading: String? = nil) {
    self.title = title
    self.heading = heading ?? title
  }

  /// Adds a fact, unless its value is absent or empty.
  package mutating func addFact(_ name: String, _ value: String?, href: String? = nil) {
    if let value, !value.isEmpty { facts.append((name, value, href)) }
  }

  /// The Content-Security-Policy of the page: files of the same server, and pictures in `data:`.
  package static let policy =
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    + "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

  /// A file that the pages refer to. Its path contains its checksum, so it may be cached forever.
  package struct File: Sendable {
    /// The path on the server.
    package let path: String
    /// The media type, with its charset.
    package let mediaType: String
    /// The content.
    package let text: String

    init(_ text: String, _ suffix: String, _ mediaType: String) {
      path = "/-/assets/\(hexText(Digest.of(Array(text.utf8), .sha256).prefix(8))).\(suffix)"
      self.mediaType = mediaType
      self.text = text
    }
  }
  /// The style sheet.
  package static let style = File(
    Assets.style.text + String(decoding: PackageResources.site_css, as: UTF8.self), "css",
    "text/css; charset=utf-8")
  /// The script.
  package static let script = File(
    Assets.script.text + String(decoding: PackageResources.site_js, as: UTF8.self), "js",
    "text/javascript; charset=utf-8")

  /// The page, in UTF-8.
  package func html() -> String {
    let root: Node = [
      "pageTitle": title, "heading": heading, "refresh": live == nil ? nil : "10" as String?, "live": live,
      "styleHref": Self.style.path, "scriptHref": Self.script.path,
      "navigation": navigation.map {
        ["navWords": $0.words, "navHref": $0.href, "isCurrent": $0.isCurrent ? true : nil as Bool?] as Node
      }, "hasTrail": !trail.isEmpty,
      "trail": trail.map { ["trailWords": clipped($0.words, to: 80), "trailHref": $0.href] as Node },
      "state": state.map {
        ["stateStyle": "state-\($0.mood.rawValue)", "stateWords": $0.words] as Node
      },
      "notice": notice.map {
        ["noticeStyle": $0.isGood ? "notice-good" : "notice-bad", "noticeWords": $0.words] as Node
      }, "hasFacts": !facts.isEmpty,
      "facts": facts.map {
        ["factName": $0.name, "factValue": clipped($0.value, to: 400), "factHref": $0.href] as Node
      }, "sections": sections.map(\.node), "footer": footer,
    ]
    return Assets.library.render(root, withTemplate: "site") ?? ""
  }
}

extension Block {
  /// The last lines of a log.
  package static func log(_ id: String, _ title: String, _ lines: [String]) -> Node {
    // Tabs are common in logs, so they are not shown as escapes.
    let lines = lines.map { $0.replacing("\t", with: "    ") }
    return ["log": ["logID": id, "logTitle": title, "logLines": lines] as Node]
  }

  /// A link with its text.
  package struct Link {
    var words: String
    var href: String
    var isCurrent = false
    var rel: String?

    /// - Parameters:
    ///   - isCurrent: whether the link leads to this page.
    ///   - rel: the link's relation, as "next".
    package init(_ words: String, _ href: String, isCurrent: Bool = false, rel: String? = nil) {
      (self.words, self.href, self.isCurrent, self.rel) = (words, href, isCurrent, rel)
    }
  }

  /// A line of links; `nil` where there are none.
  package static func links(_ links: [Link]) -> Node? {
    guard !links.isEmpty else { return nil }
    return [
      "links": [
        "linkList": links.map {
          [
            "linkWords": clipped($0.words, to: 80), "linkHref": $0.href,
            "isCurrent": $0.isCurrent ? true : nil as Bool?, "rel": $0.rel,
          ] as Node
        }
      ] as Node
    ]
  }

  /// A picture inside the page itself.
  package static func preview(_ bytes: [UInt8], mediaType: String, alt: String) -> Node {
    ["preview": ["previewType": mediaType, "previewData": base64Text(bytes), "previewAlt": alt] as Node]
  }

  /// A field of a form.
  package struct Field {
    /// How a field is filled in.
    package enum Kind {
      case text
      case choice([String])
      case file(accept: String?, isRequired: Bool)
    }
    var name: String
    var label: String
    var hint: String?
    var kind: Kind

    /// - Parameters:
    ///   - name: the name under which the value is posted.
    ///   - label: what the reader sees.
    ///   - hint: a sentence below the field.
    package init(_ name: String, _ label: String, _ kind: Kind, hint: String? = nil) {
      (self.name, self.label, self.kind, self.hint) = (name, label, kind, hint)
    }

    func node(_ form: String) -> Node {
      var node: Node = [
        "fieldID": "\(form)-\(name)", "fieldName": name, "fieldLabel": label, "fieldHint": hint,
      ]
      switch kind {
      case .text: node["isText"] = true
      case .choice(let values):
        node["isChoice"] = true
        node["choices"] = values.map {
          ["choiceValue": $0, "choiceWords": $0.isEmpty ? "by weight" : $0] as Node
        }
      case .file(let accept, let isRequired):
        node["isFile"] = true
        node["accept"] = accept
        node["isRequired"] = isRequired ? true : nil
      }
      return node
    }
  }

  /// A form that is posted as multipart/form-data.
  package static func form(_ id: String, to action: String, button: String, _ fields: [Field]) -> Node {
    [
      "form": [
        "formID": id, "formAction": action, "formButton": button, "fields": fields.map { $0.node(id) },
      ] as Node
    ]
  }
}
