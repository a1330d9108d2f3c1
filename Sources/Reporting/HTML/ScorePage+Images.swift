import Scoring

extension ScorePage {
  static let galleryLimit = 42
  static let imageRowLimit = 200
  static let cellGalleryCount = 16
  static let cellFigureCount = 12

  var labelIssues: Section? {
    guard let issues = score.labelIssues, !issues.images.isEmpty else { return nil }
    var table = Table(
      "labels-table", "Images whose label is doubtful, most doubtful first",
      text: ["Image", "Label", "Suggested"],
      numbers: ["Of the label", "Of the suggested"])
    for item in issues.images.prefix(Self.imageRowLimit) {
      table.add([
        Cell.long(item.path, limit: 56, isHead: true), link(item.label), link(item.suggested),
        Cell.decimal(item.selfConfidence), Cell.decimal(item.confidence),
      ])
    }
    table.isSearched = true
    if issues.count > table.rows.count {
      table.rest =
        "\(whole(issues.count - table.rows.count)) more; the JSON of the run lists up to \(whole(LabelIssues.imageLimit))."
    }
    let figures = issues.images.prefix(Self.galleryLimit).compactMap { item in
      figure(
        item.path, head: "labelled \(className(item.label))",
        words: "looks like \(className(item.suggested)), \(percent(item.confidence, 0))")
    }
    return Section(
      "labels", "Doubtful labels",
      lead:
        "\(counted(issues.count, "image")), by confident learning: the model is sure of another class than the label. "
        + "Only meaningful where the model did not learn these images.",
      [
        figures.isEmpty
          ? nil
          : Block.fold(
            "The most doubtful, as pictures", count: whole(figures.count), isOpen: true,
            [Block.gallery(figures)]),
        Block.fold(
          "The list", count: whole(issues.count), isOpen: figures.isEmpty,
          [Block.table(table)].compactMap(\.self)),
      ])
  }

  var errors: Section? {
    guard score.errors > 0 else { return nil }
    var blocks: [Node?] = []
    if let list = score.confidentErrors, !list.isEmpty {
      var table = Table(
        "errors-table", "Errors of highest confidence", text: ["Image", "True class", "Predicted"],
        numbers: ["Confidence", "Of the truth", "Rank of the truth"])
      for item in list.prefix(Self.imageRowLimit) {
        table.add([
          Cell.long(item.path, limit: 56, isHead: true), link(item.truth), link(item.predicted),
          Cell.decimal(item.confidence), Cell.decimal(item.truthProbability), Cell.number(item.rank),
        ])
      }
      table.isSearched = true
      if list.count > table.rows.count {
        table.rest =
          "\(whole(list.count - table.rows.count)) more; the JSON of the run has \(whole(list.count))."
      }
      let figures = list.prefix(Self.galleryLimit).compactMap { item in
        figure(
          item.path, head: className(item.truth),
          words: "taken for \(className(item.predicted)), \(percent(item.confidence, 0))")
      }
      if !figures.isEmpty {
        blocks.append(
          Block.fold(
            "Most confidently wrong, as pictures", count: whole(figures.count), isOpen: true,
            [Block.gallery(figures)]))
      }
      blocks.append(
        Block.fold(
          "Most confidently wrong, as a list", count: whole(list.count), isOpen: figures.isEmpty,
          [Block.table(table)].compactMap(\.self)))
    }
    blocks += cellGalleries
    if blocks.isEmpty { return nil }
    return Section(
      "errors", "Errors, image by image",
      lead: "The errors the model is surest of, and images of the classes it confuses most.", blocks)
  }

  private var cellGalleries: [Node] {
    let images = WantedImages.byCell(of: score, Self.cellGalleryCount, Self.cellFigureCount)
    return images.compactMap { pair, images in
      let figures = images.compactMap { image in
        figure(
          image.path, head: className(pair.truth),
          words: image.confidence.map { "confidence \(percent($0, 0))" } ?? "")
      }
      guard !figures.isEmpty else { return nil }
      return Block.fold(
        "\(className(pair.truth)) taken for \(className(pair.predicted))", count: whole(pair.count),
        [Block.gallery(figures)])
    }
  }

  private func link(_ label: Int) -> Node { ["words": className(label), "href": classLink(label)] }

  /// - Returns: `nil` where the image has no thumbnail.
  private func figure(_ path: String, head: String, words: String) -> Node? {
    guard let thumb = thumbs[path] else { return nil }
    return [
      "thumb": "\(thumb)", "figureAlt": "\(head), \(words)", "figureHead": head, "figureWords": words,
      "figurePath": clipped(path, to: 44),
    ]
  }
}
