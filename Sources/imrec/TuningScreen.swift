import Search
import Terminal
import Tuning

/// Says on stderr what happens in a tuning, a line an event.
struct TuningScreen {
  private let request: TuningRequest
  private let words: Words

  init(_ request: TuningRequest, words: Words) { (self.request, self.words) = (request, words) }

  @Sendable func take(_ event: TuningEvent) {
    switch event {
    case .began(let job, let resumes):
      let values = request.definition(of: job).plan.space.parameters.map {
        "\($0.name) \(job.tuned[$0.name] ?? "")"
      }
      let epochs = job.resource.map { ", up to \(counted($0, "epoch"))" } ?? ""
      note("\(title(job)) \(resumes ? "goes on" : "begins"): \(values.joined(separator: ", "))\(epochs)")
    case .progress(let job):
      guard let value = job.curve.last else { return }
      note("\(title(job)), \(counted(job.curve.count, "epoch")): \(metric(job)) \(shownObjective(value))")
    case .ended(let job, let isBest):
      let result = job.score.map { "\(metric(job)) \(shownObjective($0))" } ?? "without \(metric(job))"
      let status = job.wasStoppedEarly ? "was stopped early" : Self.ends[job.status] ?? ""
      if let reason = job.failureReason {
        words.warn(printable("\(title(job)) failed: \(reason)"))
      } else {
        note("\(title(job)) \(status): \(result)\(isBest ? ", the best so far" : "")")
      }
    case .ending(let reason): note("no further job begins: \(reason)")
    case .warning(let sentence): words.warn(printable(sentence))
    }
  }

  private static let ends: [JobRecord.Status: String] = [
    .completed: "is done", .stopped: "was stopped", .failed: "failed",
  ]

  private func title(_ job: JobRecord) -> String {
    let name = request.definitions.count > 1 ? request.definition(of: job).definitionName : nil
    return "job \(job.number)\(request.jobs.map { " of \($0)" } ?? "")\(name.map { " (\($0))" } ?? "")"
  }

  private func metric(_ job: JobRecord) -> String { request.definition(of: job).metric }

  private func note(_ sentence: String) { words.note(printable(sentence)) }
}

/// An objective as the terminal shows it: six decimals, as in the trainer's log.
func shownObjective(_ value: Double) -> String {
  guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "-inf" : "inf" }
  guard abs(value) < 1e9 else { return "\(value)" }
  let millionths = Int64(exactly: (value * 1e6).rounded()) ?? 0
  let digits = String(millionths.magnitude % 1_000_000)
  let zeros = String(repeating: "0", count: 6 - digits.count)
  return "\(millionths < 0 ? "-" : "")\(millionths.magnitude / 1_000_000).\(zeros)\(digits)"
}

/// All jobs of a tuning as a table for people.
struct TuningText {
  let table: String

  init(_ request: TuningRequest, _ record: TuningRecord, folder: String) {
    let best = record.best(request.plan.direction.isBetter)
    var names: [String] = []
    for parameter in request.definitions.flatMap(\.plan.space.parameters)
    where !names.contains(parameter.name) {
      names.append(parameter.name)
    }
    var rows = [["job", request.metric, "status"] + names]
    for job in record.jobs {
      rows.append(
        [
          (job.number == best?.number ? "* " : "  ") + job.name, job.score.map { shownObjective($0) } ?? "-",
          job.wasStoppedEarly ? "Stopped early" : job.status.rawValue,
        ] + names.map { job.tuned[$0] ?? "" })
    }
    rows = rows.map { $0.map(printable) }
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    var text = ""
    for row in rows {
      let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
      var line = cells.joined(separator: "  ")
      while line.last == " " { line.removeLast() }
      text += line + "\n"
    }
    if let best, let score = best.score {
      text +=
        "\nbest: \(printable(best.name)), \(request.definition(of: best).metric) \(shownObjective(score)); its model: "
      text += printable(folder) + "/best\n"
    }
    if let reason = record.completionReason { text += "ended before its last job: \(printable(reason))\n" }
    table = text
  }
}
