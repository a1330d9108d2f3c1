import Files
import Predictions
import Records
import Reporting
import Scoring
import Terminal

/// Advice after a score: what to do if the inputs do not fit each other or a figure suggests a mistake, and the next
/// step.
struct ScoreAdvice {
  let score: Score
  let run: ScoringRun
  let truth: String
  let classList: String?

  /// Sentences, the most important first; empty if the inputs fit.
  var remedies: [String] {
    if score.images == 0 { return [noImages] }
    if let remedy = classCountRemedy { return [remedy] }
    if let remedy = namesRemedy { return [remedy] }
    if score.scored == 0 && score.missing.isEmpty {
      return [
        "no output can be scored. An output must be JSON such as {\"prediction\": [0.1, 0.9]}, [0.1, 0.9] or "
          + "{\"predicted_label\": 1}; a file of JSON lines has one output per line"
      ]
    }
    return orderRemedy.map { [$0] } ?? []
  }

  /// A suggestion for the next command; nil if nothing was scored.
  func nextStep(output: String?) -> String? {
    guard score.scored > 0 else { return nil }
    guard let output else { return "next: -o score.json saves every figure, for imrec compare" }
    return "next: imrec compare \(printable(output)) OTHER.json shows whether another run is better"
  }

  private var noImages: String {
    "\(printable(truth)) names no image: there is nothing to score. "
      + (isFolder(truth)
        ? "A folder as truth must hold one folder for each class, with .jpg, .jpeg or .png files in it"
        : "Each line needs a path and a label: a/1.jpg,3 (CSV) or {\"path\": \"a/1.jpg\", \"label\": 3}")
  }

  private var classCountRemedy: String? {
    guard let length = run.plan.rowLength, length != score.classes.count else { return nil }
    let have =
      classList.map { "\(printable($0)) names \(score.classes.count)" }
      ?? "\(printable(truth)) has \(score.classes.count)"
    return "most outputs have \(length) probabilities, one for each class of the model, but \(have). "
      + "Name all classes of the model with --classes FILE, one per line, in the order used for training"
  }

  /// Advice if both outputs and images are left over: example names that show why they do not match.
  private var namesRemedy: String? {
    guard !score.missing.isEmpty else { return nil }
    if run.plan.source.count == 0 {
      let other = run.plan.source.others.first.map {
        "; it holds other files, such as \(printable(shortened($0)))"
      }
      return "\(printable(run.plan.source.path)) holds no file <name>.out (or <name>.json)\(other ?? "")"
    }
    guard !run.unexpected.isEmpty else { return nil }
    var text =
      score.scored == 0
      ? "no output matches an image" : "some outputs and images are left over, and may belong together"
    text += ". Examples: outputs \(examples(run.unexpected.map(\.path))); "
    text += "\(run.plan.truth.isNamedByID ? "ids" : "paths") of the truth \(examples(score.missing)). "
    if run.plan.truth.isNamedByID {
      text += "A .rec identifies its images only by id; name the .lst it was made from"
    } else if run.fittingFolders.count > 1 {
      let folders = run.fittingFolders.map { printable(shortened($0, to: 80)) }
      text +=
        "They match files in each of \(shortList(folders)): transform their parent folder, so that the outputs keep the names of these folders"
    } else if run.unexpected.contains(where: { $0.reason.contains("have this file name") }) {
      text += "Without folders, the file names are not unique: keep the folders in the names of the outputs"
    } else {
      text +=
        "An output is matched by the path of its image, the end of that path, a unique file name, or an id"
    }
    return text
  }

  private func examples(_ names: [String]) -> String {
    let shown = names.prefix(2).map { printable(shortened($0, to: 80)) }.joined(separator: ", ")
    return names.count > 2 ? shown + " and others" : shown
  }

  /// Advice if the class list seems to be in another order than the model's: then nearly all predictions are wrong, but
  /// each class is confused with one other class.
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
      ? "every predicted label is too \((shifts.first ?? 0) > 0 ? "high" : "low") by \(abs(shifts.first ?? 0))"
      : "--classes and the labels of the truth must be in the order used for training"
    return
      "\(decimalText(100 * share, 0)) % of the predictions would be correct if the classes were in another order: \(how)"
  }
}
