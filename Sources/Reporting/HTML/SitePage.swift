import Encodings
internal import Mustache

/// A page of a web application: the look of the reports, with navigation and forms. Style and script are files of the
/// same server.
package struct SitePage {
  package var title: String
  package var heading: String
  package var navigation: [(words: String, href: String, isCurrent: Bool)] = []
  /// The pages above it.
  package var trail: [(words: String, href: String)] = []
  package var state: (words: String, mood: Cell.Mood)?
  package var notice: (words: String, isGood: Bool)?
  package var facts: [(name: String, value: String, href: String?)] = []
  package var sections: [Section] = []
  package var footer = ""
  /// Where the script hears of changes (Server-Sent Events); without script the page is loaded again now and then.
  package var live: String?

  package init(_ title: String, heading: String? = nil) {
    self.title = title
    self.heading = heading ?? title
  }

  package mutating func addFact(_ name: String, _ value: String?, href: String? = nil) {
    if let value, !value.isEmpty { facts.append((name, value, href)) }
  }

  /// What its policy allows beside its own files: pictures in `data:`.
  package static let policy =
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    + "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

  /// A file that the pages ask for; its path has its checksum, so that it may be kept for ever.
  package struct File: Sendable {
    package let path: String
    package let mediaType: String
    package let text: String

    init(_ text: String, _ suffix: String, _ mediaType: String) {
      path = "/-/assets/\(hexText(Digest.of(Array(text.utf8), .sha256).prefix(8))).\(suffix)"
      self.mediaType = mediaType
      self.text = text
    }
  }
  package static let style = File(
    Assets.style.text + String(decoding: PackageResources.site_css, as: UTF8.self), "css",
    "text/css; charset=utf-8")
  package static let script = File(
    Assets.script.text + String(decoding: PackageResources.site_js, as: UTF8.self), "js",
    "text/javascript; charset=utf-8")

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
  /// Lines of a log, the last ones of a long one.
  package static func log(_ id: String, _ title: String, _ lines: [String]) -> Node {
    // A tab is no odd character here.
    let lines = lines.map { $0.replacing("\t", with: "    ") }
    return ["log": ["logID": id, "logTitle": title, "logLines": lines] as Node]
  }

  package struct Link {
    var words: String
    var href: String
    var isCurrent = false
    var rel: String?

    package init(_ words: String, _ href: String, isCurrent: Bool = false, rel: String? = nil) {
      (self.words, self.href, self.isCurrent, self.rel) = (words, href, isCurrent, rel)
    }
  }

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

  /// A picture that stands in the page itself.
  package static func preview(_ bytes: [UInt8], mediaType: String, alt: String) -> Node {
    ["preview": ["previewType": mediaType, "previewData": base64Text(bytes), "previewAlt": alt] as Node]
  }

  package struct Field {
    package enum Kind {
      case text
      case choice([String])
      case file(accept: String?, isRequired: Bool)
    }
    var name: String
    var label: String
    var hint: String?
    var kind: Kind

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
