import Foundation
import Hyperparameters
import Terminal
import TestSupport
import Testing

/// What the program says of itself to the generators of manuals.
private struct Tool: Decodable {
  struct Command: Decodable {
    let commandName: String, shouldDisplay: Bool
    let subcommands: [Command]?, arguments: [Argument]?

    /// The verbs of it that people use, each with the words that call it.
    func verbs(_ words: [String]) -> [(words: [String], command: Command)] {
      let shown = (subcommands ?? []).filter { $0.shouldDisplay && $0.commandName != "help" }
      return shown.isEmpty ? [(words, self)] : shown.flatMap { $0.verbs(words + [$0.commandName]) }
    }
  }
  struct Argument: Decodable {
    struct Name: Decodable { let name: String }
    let names: [Name]?, abstract: String?, valueName: String?, shouldDisplay: Bool
  }
  let command: Command

  static let verbs: [(words: [String], command: Command)] = {
    let dump = imrec.run(["--experimental-dump-help"], in: "/").output
    return (try? JSONDecoder().decode(Tool.self, from: Data(dump.utf8)).command.verbs([])) ?? []
  }()
}
private let verbs = Tool.verbs.map(\.words)

@Suite("The command line of imrec")
struct UsageTests {
  @Test("fits one screen with its own help", arguments: [[], ["--help"], ["-h"], ["help"]])
  func rootHelp(_ arguments: [String]) {
    let run = imrec.run(arguments, in: "/")
    #expect(run.status == 0 && run.errors.isEmpty)
    let lines = run.output.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    #expect(lines.count <= 24, "\(run)")
    #expect(lines.allSatisfy { $0.count <= 80 }, "\(run)")
    #expect(verbs.count == 21)
    for verb in verbs { #expect(run.output.contains(" \(verb[0]) "), "\(verb)") }
    #expect(run.output.contains("EXAMPLE: imrec ") && run.output.contains("EXIT STATUS: 0 "))
  }

  @Test("has an example in the help of each verb, and no line wider than a terminal", arguments: verbs)
  func verbHelp(_ verb: [String]) {
    let run = imrec.run(verb + ["--help"], in: "/", environment: ["COLUMNS": "80"])
    #expect(run.status == 0 && run.errors.isEmpty)
    let example = run.output.split(separator: "\n").first { $0.hasPrefix("EXAMPLE: ") }
    #expect(example?.hasPrefix("EXAMPLE: imrec \(verb.joined(separator: " ")) ") == true, "\(run)")
    // The parser does not break the line of the usage.
    let wide = run.output.split(separator: "\n").filter { $0.count > 80 && !$0.hasPrefix("USAGE: ") }
    #expect(wide.isEmpty)
    let lines = run.output.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count <= 60, "\(run)")
    // What is left out, the longer help has.
    let remark = "'imrec \(verb.joined(separator: " ")) --help-hidden'"
    let whole = imrec.run(verb + ["--help-hidden"], in: "/", environment: ["COLUMNS": "80"]).output
    let leavesOut = ["train", "predict", "transform", "host", "infer", "quantize"].contains(verb.last)
    #expect(run.output.contains(remark) == leavesOut && !whole.contains("--help-hidden'"))
    for option in Tool.verbs.first(where: { $0.words == verb })?.command.arguments ?? []
    where option.shouldDisplay {
      #expect(option.names?.allSatisfy { whole.contains("-\($0.name)") } ?? true, "\(option)")
    }
  }

  @Test("takes --jobs and --threads as one option, of which it shows one", arguments: verbs)
  func jobsAndThreads(_ verb: [String]) throws {
    let command = try #require(Tool.verbs.first { $0.words == verb }?.command)
    let counts = (command.arguments ?? []).filter { option in
      option.names?.contains { ["jobs", "threads"].contains($0.name) } ?? false
    }
    #expect(counts.isEmpty || counts.count == 2 && counts.count(where: \.shouldDisplay) == 1, "\(counts)")
    for option in command.arguments ?? [] where option.names?.contains(where: { $0.name == "quiet" }) ?? false
    {
      #expect(option.names?.contains { $0.name == "q" } == true)
    }
  }

  @Test(
    "has an option for each hyperparameter, with what the table says of it",
    arguments: ["train", "bench train"])
  func hyperparameters(_ verb: String) throws {
    let command = try #require(Tool.verbs.first { $0.words.joined(separator: " ") == verb }?.command)
    for row in HyperparameterSet.table {
      let option = command.arguments?.first {
        $0.names?.contains { $0.name == row.name.replacing("_", with: "-") } ?? false
      }
      #expect(option?.abstract == row.help && option?.valueName == row.valueName, "\(row.name)")
    }
  }

  @Test("says its version, and writes completions")
  func versionAndCompletions() {
    #expect(imrec.run(["--version"], in: "/").output == "\(programVersion)\n")
    for shell in ["bash", "zsh", "fish"] {
      let run = imrec.run(["--generate-completion-script", shell], in: "/")
      #expect(run.status == 0 && run.output.contains("per-class") && run.output.contains("learning-rate"))
    }
  }

  @Test(
    "suggests the verb with the most similar spelling",
    arguments: [
      ("bogus", "there is no verb 'bogus'; the verbs are convert, list, pack,"),
      ("scor", "did you mean 'score'?"),
      ("Score x", "did you mean 'score'?"),
      ("trasnform a b", "did you mean 'transform'?"), ("conv photos", "did you mean 'convert'?"),
      ("comparre", "did you mean 'compare'?"), ("trian x", "did you mean 'train'?"),
    ])
  func unknownVerb(_ line: String, _ words: String) {
    let run = imrec.run(line.split(separator: " ").map(String.init), in: "/")
    #expect(run.status == 64 && run.output.isEmpty && run.errors.contains(words), "\(run)")
    #expect(run.errors.contains("See 'imrec --help' for more information"))
  }

  @Test(
    "reports wrong usage and its place, with status 64 and nothing on stdout",
    arguments: [
      ("score", "<outputs>"), ("score outputs", "--truth"),
      ("score outputs --truth t.csv --seed x", "--seed"),
      ("compare a.json", "<b>"), ("compare a.json b.json --fail-under top1=1", "--fail-under"),
      ("predict model", "<images>"), ("predict model a.jpg --top 0", "from 1 to"),
      ("predict model a.jpg --preprocess zoom", "squash"), ("predict model a.jpg --engine slow", "reference"),
      ("predict model a.jpg --threads 0", "from 1 to"), ("transform model in", "<output-folder>"),
      ("transform model in out --root x", "--root"), ("transform model in out --accept csv", "jsonlines"),
      ("transform model in out --max-payload 0", "from 1 to"),
      ("transform model in out --batch x", "from 1 to"),
      ("host", "--opt-ml"), ("host model --opt-ml x", "--opt-ml"), ("host model --port 65536", "from 0 to"),
      ("train", "--train is missing"), ("train --train t.rec --validation v.rec", "--model-dir is missing"),
      ("train --train t.rec --validation v.rec --model-dir m --epochs 0", "'epochs' hyperparameter"),
      ("train --train t.rec --validation v.rec --model-dir m --optimizer best", "'nag'"),
      ("train --train t.rec --validation v.rec --model-dir m --num_layers 19", "'num_layers' hyperparameter"),
      ("train --train t.rec --validation v.rec --model-dir m --num-layers 20", "more than 28 rows"),
      ("train --train t.rec --validation v.rec --model-dir m --checkpoint-every 0", "from 1 to"),
      ("train --train t.rec --validation v.rec --model-dir m --learning-rat 1", "'--learning-rate'?"),
      ("train --train t.rec --validation v.rec --model-dir m --momentun=1", "'--momentum'?"),
      ("train --train t.rec --validation v.rec --model-dir m --mean", "'--mean <r,g,b>'"),
      ("train --train t.rec --validation v.rec --model-dir m --jobs 2 --threads 2", "under two names"),
      ("predict model a.jpg --jobs 0", "from 1 to"), ("pack in.lst photos --threads 0", "from 1 to"),
      ("serve --running-jobs 0", "from 1 to"), ("serve --jobs 2 --threads 1", "under two names"),
      ("bench train --learning-rate=2", "'learning_rate' hyperparameter"),
      ("train --opt-ml ml --train t.rec", "--opt-ml takes everything"),
      ("train --opt-ml ml --epochs 3", "--opt-ml takes everything"),
      ("tune", "<request>"), ("tune request.json", "--output"),
      ("tune request.json --output o --threads 0", "from 1 to"),
      ("bench train --mini-batch-size x", "'mini_batch_size' hyperparameter"),
      ("bench train --num-layers 20", "more than 28 rows"), ("bench train --runs 0", "from 1 to"),
      ("bench infer", "<model>"), ("bench infer model --batch 1,,2", "1,32"),
      ("bench infer model --batch 0", "1,32"),
      ("nonsense", "nonsense"), ("--nonsense", "--nonsense"), ("convert", "<root>"),
      ("convert photos", "<prefix>"),
      ("convert photos x y", "y"), ("convert photos x --nonsense", "--nonsense"),
      ("convert photos x --per-class 3 --folds 3", "exclude each other"),
      ("convert photos x --per-class 3 --train-ratio 0.5", "exclude each other"),
      ("convert photos x --per-class 0", "from 1 to"), ("convert photos x --per-class", "--per-class"),
      ("convert photos x --folds 1", "from 2 to"), ("convert photos x --folds x", "from 2 to"),
      ("convert photos x --train-ratio 1.5", "from 0 to 1"),
      ("convert photos x --val-ratio=-1", "from 0 to 1"),
      ("convert photos x --test-ratio nan", "from 0 to 1"), ("convert photos x --seed 1.5", "--seed"),
      ("convert photos x --train-ratio 0.8 --val-ratio 0.8", "more than 1"),
      ("convert photos x --seed 99999999999999999999", "--seed"),
      ("convert photos x --folds 3 --allow-small-classes", "--per-class"),
      ("list photos", "<prefix>"), ("list photos x --resize 3", "--resize"),
      ("pack in.lst", "<root>"), ("pack in.lst photos --quality 101", "from 0 to 100"),
      ("pack in.lst photos --quality=-1", "from 0 to 100"), ("pack in.lst photos --resize 0", "from 1 to"),
      ("pack in.lst photos --resize 99999999999999999999", "from 1 to"),
      ("pack in.lst photos --resize 2.5", "from 1 to"), ("pack in.lst photos --encoding gif", "jpg"),
      ("pack in.lst photos --color blue", "gray"), ("pack in.lst photos --filter best", "lanczos"),
      ("pack in.lst photos --jobs 0", "from 1 to"), ("pack in.lst photos --jobs 1000000", "from 1 to"),
      ("pack in.lst photos --max-pixels 0", "from 1 to"), ("pack in.lst photos --num-parts 2", "--part"),
      ("pack in.lst photos --part 0", "--num-parts"), ("pack in.lst photos --num-parts 2 --part 2", "is 1"),
      ("info", "<file>"), ("info in.rec other.rec", "other.rec"), ("verify", "<file>"),
      ("verify in.rec --salvage", "--salvage"), ("verify in.rec --salvage in.rec", "another name"),
      ("extract in.rec", "<folder>"), ("merge", "<output>"), ("merge out.rec", "<parts>"),
      ("tensors in.rec", "--output"), ("tensors in.rec -o x.npy --shape 3,0,5", "3 whole numbers"),
      ("tensors in.rec -o x.npy --shape 3,5", "3 whole numbers"),
      ("tensors in.rec -o x.npy --shape 3,5,5,5", "3 whole numbers"),
      ("tensors in.rec -o x.npy --shape 2,5,5", "channels"),
      ("tensors in.rec -o x.npy --shape 3,99999999,99999999", "65535"),
      ("tensors in.rec -o x.npy --shape 3,9223372036854775807,9223372036854775807", "65535"),
      ("tensors in.rec -o x.npy --mean 1,2", "one number or three"),
      ("tensors in.rec -o x.npy --mean x", "three"),
      ("tensors in.rec -o x.npy --std 0", "above 0"), ("tensors in.rec -o x.npy --std inf", "three"),
      ("tensors in.rec -o x.npy --dtype float64", "float32"),
      ("tensors in.rec -o x.npy --dtype uint8 --mean 1", "--dtype uint8"),
      ("tensors in.rec -o in.rec", "name of the input"), ("bench decode", "<file>"),
      ("bench decode in.rec --runs 0", "from 1 to"), ("bench decode in.rec --shape 3,0,5", "3 whole numbers"),
    ])
  func wrongUsage(_ line: String, _ words: String) {
    withScratchFolder { folder in
      let run = imrec.run(line.split(separator: " ").map(String.init), in: folder)
      #expect(run.status == 64 && run.output.isEmpty, "\(run)")
      #expect(run.errors.hasPrefix("Error: ") && run.errors.contains(words), "\(run)")
      #expect(run.errors.contains("--help' for more information"), "\(run)")
      #expect(scratchNames(folder).isEmpty, "wrong usage makes no file")
    }
  }
}
