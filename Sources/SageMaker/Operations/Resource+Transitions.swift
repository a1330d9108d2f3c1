import Encodings

/// The secondary states of a training job.
extension Resource {
  var secondaryStatus: String { state["SecondaryStatus"]?.text ?? "" }

  /// Ends the state it is in, and begins another.
  mutating func enter(_ status: String, _ message: String, at time: Double) {
    var transitions = state["SecondaryStatusTransitions"]?.list ?? []
    if var last = transitions.popLast() {
      last["EndTime"] = .number(time)
      transitions.append(last)
    }
    transitions.append([
      "Status": .string(status), "StartTime": .number(time), "StatusMessage": .string(message),
    ])
    state["SecondaryStatus"] = .string(status)
    state["SecondaryStatusTransitions"] = .list(transitions)
  }

  /// The last state: it ends as it begins.
  mutating func finish(_ status: String, secondary: String, _ message: String, at time: Double) {
    self.status = status
    enter(secondary, message, at: time)
    guard var transitions = state["SecondaryStatusTransitions"]?.list, var last = transitions.popLast() else {
      return
    }
    last["EndTime"] = .number(time)
    state["SecondaryStatusTransitions"] = .list(transitions + [last])
  }
}
