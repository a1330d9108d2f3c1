import Encodings
import Foundation
import Imaging
import Scoring
import TestSupport
import Testing

@testable import Reporting

@Suite("An HTML report")
struct PageTests {
  /// Everything a page may hold; whatever a name brings in would show here.
  private static let elements: Set<String> = [
    "html", "head", "meta", "title", "style", "body", "a", "header", "p", "h1", "h2", "h3", "ul", "ol", "li",
    "span",
    "div", "nav", "main", "section", "dl", "dt", "dd", "small", "svg", "desc", "rect", "path", "circle",
    "text",
    "image", "use", "defs", "figure", "figcaption", "details", "summary", "table", "caption", "thead",
    "tbody", "tr",
    "th", "td", "bdi", "b", "i", "strong", "footer", "script",
  ]
  private static let attributes: Set<String> = [
    "lang", "charset", "http-equiv", "content", "name", "class", "id", "href", "aria-label",
    "aria-labelledby",
    "aria-hidden", "tabindex", "role", "viewbox", "x", "y", "width", "height", "d", "cx", "cy", "r",
    "text-anchor",
    "transform", "scope", "open", "data-search", "preserveaspectratio", "focusable", "type",
  ]

  private func pages() throws -> [String] {
    let (a, b) = (try plainScore(classes: 40, images: 900), try plainScore(classes: 40, images: 800))
    return try [
      ScoreReport(a).html(), ComparisonReport(Comparison(a, b), a: a, b: b).html(),
      ScoreReport(hostileScore()).html(), hostileComparisonPage(),
    ]
  }

  private func hostileComparisonPage() throws -> String {
    let score = try hostileScore()
    return try ComparisonReport(hostileComparison(), a: score, b: score).html()
  }

  @Test("has only the elements and attributes of its templates, whatever the names are")
  func markup() throws {
    for page in try pages() {
      let reader = PageReader(page)
      for element in reader.elements {
        #expect(Self.elements.contains(element.name), "<\(element.name)>")
        for attribute in element.attributes {
          #expect(Self.attributes.contains(attribute.name), "\(attribute.name) of \(element.name)")
        }
      }
      #expect(reader.elements.count { $0.name == "script" } == 2)
      #expect(reader.elements.count { $0.name == "style" } == 1)
    }
  }

  @Test("links only to itself")
  func noRequest() throws {
    for page in try pages() {
      let reader = PageReader(page)
      let ids = Set(reader.elements.flatMap { $0.attributes.filter { $0.name == "id" }.map(\.value) })
      #expect(
        ids.count == reader.elements.count { $0.attributes.contains { $0.name == "id" } }, "every id once")
      for element in reader.elements {
        for attribute in element.attributes where attribute.name == "href" {
          #expect(
            attribute.value.hasPrefix("#")
              ? ids.contains(String(attribute.value.dropFirst())) : attribute.value.hasPrefix("data:image/"),
            "\(element.name) \(attribute.value.prefix(80))")
        }
      }
      for (element, text) in reader.rawTexts where !element.attributes.contains(where: { $0.name == "type" })
      {
        #expect(!text.contains("//") || element.name == "script")
        for address in ["http:", "https:", "url(", "@import", "fetch(", "XMLHttpRequest", "import("] {
          #expect(!text.contains(address), "\(address) in \(element.name)")
        }
      }
    }
    let plain = try pages()[0]
    #expect(!plain.contains("://"))
  }

  @Test("names the right hashes of its style and its script in its policy")
  func policy() throws {
    for page in try pages() {
      let reader = PageReader(page)
      let policy = try #require(
        reader.elements.first { $0.attributes.contains { $0.value == "Content-Security-Policy" } }?.attributes
          .first { $0.name == "content" }?.value)
      var hashes: [String: String] = [:]
      for (element, text) in reader.rawTexts where !element.attributes.contains(where: { $0.name == "type" })
      {
        hashes[element.name] = "sha256-" + base64Text(Digest.of(Array(text.utf8), .sha256))
      }
      #expect(
        policy
          == "default-src 'none'; img-src data:; style-src '\(hashes["style"] ?? "")'; "
          + "script-src '\(hashes["script"] ?? "")'; base-uri 'none'; form-action 'none'")
    }
  }

  @Test("escapes by code points: a combining mark saves no quote")
  func escape() {
    let escaped = PageText().escapeText(
      "\"\u{301} onmouseover=\"x\u{301}\" <\u{338}b> '\u{20E3} &\u{301}\u{202E}\n")
    #expect(
      escaped
        == "&quot;\u{301} onmouseover=&quot;x\u{301}&quot; &lt;\u{338}b&gt; &#39;\u{20E3} &amp;\u{301}\\u{202e}\\n"
    )
  }

  @Test("has the whole of every class name, however long, in a form that can be seen")
  func names() throws {
    let text = unescaped(try ScoreReport(hostileScore()).html())
    for name in hostileNames where !name.isEmpty {
      #expect(text.contains(printable(name)), "\(name.prefix(40))")
    }
    #expect(text.contains("(no name)"))
    for scalar in ["\u{202E}", "\u{0}", "\u{7}", "\u{2028}", "\u{FEFF}"] { #expect(!text.contains(scalar)) }
  }

  @Test("holds data for its script that JSON reads back")
  func data() throws {
    let score = try hostileScore()
    let reader = PageReader(try ScoreReport(score).html())
    let text = try #require(
      reader.rawTexts.first { $0.element.attributes.contains { $0.name == "id" } }?.text)
    for character in "<>&'\u{2028}\u{2029}" { #expect(!text.contains(character)) }
    let json = try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    #expect(
      json["classes"] as? [String]
        == score.classes.map { printable(clipped($0.name, to: PageData.classNameLimit)) })
    let cells = try #require(json["cells"] as? [Int])
    let images = try #require(json["name"] as? [String])
    #expect(stride(from: 0, to: cells.count, by: 4).map { cells[$0 + 2] } == score.confusion.map(\.count))
    // Few images: all are listed.
    #expect(stride(from: 0, to: cells.count, by: 4).map { cells[$0 + 3] } == score.confusion.map(\.count))
    #expect(images.count == score.scored)
  }

  @Test("is the same bytes for the same run, in whatever order the images came")
  func determinism() throws {
    let lines = (0..<300).map { ("folder/\($0).jpg", $0 % 7, ($0 * $0) % 7) }
    func page(_ lines: [(String, Int, Int)]) throws -> String {
      var tally = Tally(classes: (0..<7).map { "class \($0)" })
      for (path, truth, predicted) in lines { try tally.add(path, truth: truth, predicted: predicted) }
      return try ScoreReport(tally.score(ScoreOptions(seed: 3, draws: 20))).html()
    }
    var random = SplitMix64(seed: 5)
    let first = try page(lines)
    #expect(try page(lines) == first)
    #expect(try page(lines.shuffled(using: &random)) == first)
  }

  @Test("stays under its limit however many images there are and however long their names")
  func size() throws {
    let score = try plainScore(classes: 257, images: 40_000, pathLength: 200, isHard: true)
    let report = ScoreReport(score)
    let page = try report.html()
    #expect(page.utf8.count < 2_600_000)
    let budget = try report.thumbnailByteBudget()
    #expect(budget > 1_000_000)
    #expect(page.utf8.count + budget / 3 * 4 <= ScoreReport.byteLimit)
    #expect(PackageResources.page_js.count < 30_000)
  }
}
