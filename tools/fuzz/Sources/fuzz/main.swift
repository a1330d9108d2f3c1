import FuzzTargets

// fuzz --list                  the names of the targets
// fuzz TARGET --seeds FOLDER   writes the target's seeds, and its dictionary beside the folder
// fuzz TARGET ...              all else is for libFuzzer

let arguments = CommandLine.arguments
if arguments.count == 2, arguments[1] == "--list" {
  for target in targets { print(target.name) }
} else if arguments.count > 1, let target = targets.first(where: { $0.name == arguments[1] }) {
  if arguments.count == 4, arguments[2] == "--seeds" {
    writeSeeds(of: target, to: arguments[3])
  } else {
    run(target)
  }
} else {
  fail("a target is expected, one of: \(targets.map(\.name).joined(separator: ", "))")
}
