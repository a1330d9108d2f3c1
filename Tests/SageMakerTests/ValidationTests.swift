import Encodings
import TestSupport
import Testing

@testable import SageMaker

@Suite("Requests held against AWS's shapes")
struct ValidationTests {
  private func refusal(_ request: JSON, _ shape: String = "CreateTrainingJobRequest") -> ControlPlaneError? {
    do throws(ControlPlaneError) {
      _ = try Violations.check(request, as: shape)
      return nil
    } catch { return error }
  }

  @Test("a good request passes, without the members that AWS does not know and those that are null")
  func good() throws {
    let request = trainingJob("a").merging(["Nonsense": 1, "Tags": .null])
    #expect(try Violations.check(request, as: "CreateTrainingJobRequest") == trainingJob("a"))
  }

  @Test("an invalid choice is reported with all valid ones")
  func choices() throws {
    let message = try #require(
      refusal(trainingJob("a", ["ResourceConfig": ["InstanceType": "local", "InstanceCount": 1]]))
    ).message
    #expect(
      message.hasPrefix(
        "1 validation error detected: Value 'local' at 'resourceConfig.instanceType' failed to satisfy constraint: "
          + "Member must satisfy enum value set: [ml.m4.xlarge, "), "\(message)")
  }

  @Test("what is too long, of another pattern, or missing is told in AWS's words, all of it together")
  func several() throws {
    let name = String(repeating: "a", count: 64)
    let long = try #require(refusal(trainingJob(name)))
    #expect(
      long.message
        == "2 validation errors detected: Value '\(name)' at 'trainingJobName' failed to satisfy constraint: Member must "
        + "satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}; Value '\(name)' at 'trainingJobName' "
        + "failed to satisfy constraint: Member must have length less than or equal to 63")
    #expect(long.code == .validation && long.statusCode == 400)
    let missing = try #require(refusal(["TrainingJobName": "a"]))
    for member in [
      "roleArn", "outputDataConfig", "algorithmSpecification", "resourceConfig", "stoppingCondition",
    ] {
      #expect(
        missing.message.contains(
          "Value null at '\(member)' failed to satisfy constraint: Member must not be null"))
    }
    #expect(missing.message.hasPrefix("5 validation errors detected: "))
  }

  @Test("elements of lists, keys and values of maps have a place")
  func places() throws {
    let channel = try #require(refusal(trainingJob("a", ["InputDataConfig": [["ChannelName": "a b"]]])))
    #expect(channel.message.contains("'a b' at 'inputDataConfig.1.member.channelName' failed"), "\(channel)")
    #expect(channel.message.contains("null at 'inputDataConfig.1.member.dataSource' failed"))
    let map = try #require(
      refusal(trainingJob("a", ["HyperParameters": ["a": .string(String(repeating: "v", count: 2501))]])))
    #expect(
      map.message.contains(
        "at 'hyperParameters' failed to satisfy constraint: Map value must satisfy constraint: ["),
      "\(map)")
    let list = try #require(
      refusal(["TagKeys": [], "ResourceArn": "arn:aws:sagemaker:r:123456789012:model/m"], "DeleteTagsInput"))
    #expect(
      list.message.contains(
        "at 'tagKeys' failed to satisfy constraint: Member must have length greater than or equal to 1"))
  }

  @Test("numbers have bounds")
  func bounds() {
    #expect(
      refusal(["MaxResults": 101], "ListTrainingJobsRequest")?.message
        == "1 validation error detected: Value '101' at 'maxResults' failed to satisfy constraint: Member must have value "
        + "less than or equal to 100")
    #expect(
      refusal(["MaxResults": 0], "ListTrainingJobsRequest")?.message.hasSuffix("greater than or equal to 1")
        ?? false)
  }

  @Test(
    "another type is a SerializationException",
    arguments: [
      (["MaxResults": "1"], "STRING_VALUE cannot be converted to an Integer"),
      (["MaxResults": .number(1.5)], "NUMBER_VALUE cannot be converted to an Integer"),
      (["NameContains": 1], "NUMBER_VALUE cannot be converted to a String"),
      (["NameContains": []], "Start of list found where not expected"),
      (["NameContains": [:]], "Start of structure or map found where not expected."),
      ([], "Start of list found where not expected"),
    ] as [(JSON, String)])
  func types(_ request: JSON, _ words: String) {
    let found = refusal(request, "ListTrainingJobsRequest")
    #expect(found?.code == .serialization && found?.message == words)
  }

  @Test("a megabyte that fits no pattern is refused, and its value is not repeated whole")
  func large() throws {
    let text = String(repeating: "a-", count: 500_000)
    let long = try #require(refusal(trainingJob(text)))
    #expect(long.message.utf8.count < 1000)
    #expect(refusal(trainingJob("a", ["Nonsense": .string(text)])) == nil)
  }

  @Test("names with double hyphens, as notebooks make them, are names")
  func notebookNames() {
    #expect(refusal(trainingJob("DEMO-imageclassification--2026-11-29-01-16-39")) == nil)
    #expect(refusal(trainingJob("ends-")) != nil)
    #expect(refusal(trainingJob("a_b")) != nil)
  }

  @Test("every operation has its shapes, and every other one of SageMaker's is known by name")
  func table() {
    #expect(Shapes.standard.operations.count == 32)
    #expect(Shapes.standard.others.contains("CreateNotebookInstance"))
    for operation in Shapes.standard.operations.values { #expect(Shapes.standard[operation.input] != nil) }
  }
}
