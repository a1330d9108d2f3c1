import Imaging
import Scoring

/// The report of one run, section by section.
struct ScorePage {
  let score: Score
  let thumbs: ThumbBook
  /// Names of the classes, for a heading and for a place with little room.
  private let names: [String]

  init(_ score: Score, thumbs: ThumbBook) {
    self.score = score
    self.thumbs = thumbs
    names = score.classes.map { clipped($0.name, to: 48) }
  }

  func className(_ label: Int) -> String { names.indices.contains(label) ? names[label] : "class \(label)" }
  func classLink(_ label: Int) -> String { "#c\(label)" }

  var hasProbabilities: Bool { score.scored > 0 && score.hardLabels == 0 }

  func page() throws(Imaging.ImageError) -> Page {
    var sections = [summary]
    if let gates { sections.append(gates) }
    sections.append(figures)
    if score.scored > 0, !score.confusion.isEmpty { sections.append(try matrix()) }
    if let pairs { sections.append(pairs) }
    if let groups { sections.append(groups) }
    if !score.classes.isEmpty { sections.append(classes) }
    if let confidence { sections.append(confidence) }
    if let slices { sections.append(slices) }
    if let labelIssues { sections.append(labelIssues) }
    if let errors { sections.append(errors) }
    sections.append(books)
    sections.append(about)
    return Page(
      title: "Accuracy report", heading: "Accuracy report",
      origins: score.details.prefix(2).map { ($0.name, $0.value) }, hero: hero, sections: sections,
      footer: footer, data: PageData(score, thumbs: thumbs).json, thumbs: thumbs.all)
  }

  private var footer: String {
    let program = score.details.first { $0.name == "Program" }?.value ?? "imrec"
    return "Made by \(program). One file, no request to anywhere. The same input gives the same bytes."
  }
}
