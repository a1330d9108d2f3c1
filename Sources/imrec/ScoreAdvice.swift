import Encodings
import Files
import Predictions
import Records
import Reporting
import Scoring
import Terminal

/// What to do about a score: where inputs do not fit each other, where a figure gives away a mistake, what comes next.
struct ScoreAdvice {
  let score: Score
  let run: ScoringRun
  let truth: String
  let classList: String?

  /// Sentences, the most important first; none where all fits.
  var remedies: [String] {
    if score.images == 0 { return [noImages] }
    if let remedy = classCountRemedy { return [remedy] }
    if let remedy = namesRemedy { return [remedy] }
    if score.scored == 0 && score.missing.isEmpty {
      return [
        "no output can be scored. An output is JSON such as {\"prediction\": [0.1, 0.9]}, [0.1, 0.9] or "
          + "{\"predicted_label\": 1}; a file of lines has one each"
      ]
    }
    return orderRemedy.map { [$0] } ?? []
  }

  /// What may be worth doing next.
  func nextStep(output: String?) -> String? {
    guard score.scored > 0 else { return nil }
    guard let output else { return "next: -o score.json keeps every figure, for imrec compare" }
    return "next: imrec compare \(printable(output)) OTHER.json tells whether another run is better"
  }

  private var noImages: String {
    "\(printable(truth)) names no image: there is nothing to score. "
      + (isFolder(truth)
        ? "A truth that is a folder has a folder for each class, with .jpg, .jpeg or .png files in it"
        : "Each line needs a path and a label: a/1.jpg,3 (CSV) or {\"path\": \"a/1.jpg\", \"label\": 3}")
  }

  private var classCountRemedy: String? {
    guard let length = run.plan.rowLength, length != score.classes.count else { return nil }
    let have =
      classList.map { "\(printable($0)) names \(score.classes.count)" }
      ?? "\(printable(truth)) has \(score.classes.count)"
    return "most outputs have \(length) probabilities, one for each class of the model, but \(have). "
      + "--classes FILE takes the names of all its classes, one a line, in the order of training"
  }

  /// Outputs and images are left over on both sides: their names show why.
  private var namesRemedy: String? {
    guard !score.missing.isEmpty else { return nil }
    if run.plan.source.count == 0 {
      let other = run.plan.source.others.first.map { "; it has others, such as \(printable(shortened($0)))" }
      return "\(printable(run.plan.source.path)) holds no file <name>.out (or <name>.json)\(other ?? "")"
    }
    guard !run.unexpected.isEmpty else { return nil }
    var text =
      score.scored == 0
      ? "no output belongs to an image" : "outputs and images are left over that may belong together"
    text += ". Their names: outputs \(examples(run.unexpected.map(\.path))); "
    text += "\(run.plan.truth.isNamedByID ? "ids" : "paths") of the truth \(examples(score.missing)). "
    if run.plan.truth.isNamedByID {
      text += "A .rec knows its images by their ids only: name the .lst it was made of"
    } else if run.fittingFolders.count > 1 {
      let folders = run.fittingFolders.map { printable(shortened($0, to: 80)) }
      text +=
        "They fit below each of \(shortList(folders)): transform the folder that these lie in, so that the outputs keep the names of their folders"
    } else if run.unexpected.contains(where: { $0.reason.contains("have this file name") }) {
      text += "Without their folders the names are not unique: keep the folders in the names of the outputs"
    } else {
      text += "An output is found by the path of its image, the end of it, a unique file name, or an id"
    }
    return text
  }

  private func examples(_ names: [String]) -> String {
    let shown = names.prefix(2).map { printable(shortened($0, to: 80)) }.joined(separator: ", ")
    return names.count > 2 ? shown + " and others" : shown
  }

  /// A class list in another order than the model's makes nearly all wrong, but each class wrong in the same way.
  private var orderRemedy: String? {
    guard let top1 = score.top1, score.hardLabels == 0 || score.classes.count > 1 else { return nil }
    let occurring = score.classes.count { $0.support > 0 }
    guard occurring > 2, score.scored >= 5 * occurring else { return nil }
    var best = [ConfusionCell?](repeating: nil, count: score.classes.count)
    for cell in score.confusion where cell.count > best[cell.truth]?.count ?? 0 { best[cell.truth] = cell }
    let found = best.compactMap { $0 }
    let share = Double(found.reduce(0) { $0 + $1.count }) / Double(score.scored)
    guard share > 0.4, top1.value < share / 3, Set(found.map(\.predicted)).count > occurring / 2 else {
      return nil
    }
    let shifts = Set(found.map { $0.predicted - $0.truth })
    let how =
      shifts.count == 1 && shifts.first != 0
      ? "every predicted label is \(abs(shifts.first ?? 0)) too \((shifts.first ?? 0) > 0 ? "high" : "low")"
      : "--classes must be in the order of training, and so must the labels of the truth"
    return
      "\(decimalText(100 * share, 0)) % of the predictions would be right if the classes were in another order: \(how)"
  }
}
