import Encodings
import HTTPTypes
import Hummingbird
import S3
import SageMaker

/// What programs for SageMaker ask of other services of AWS: the logs of their jobs, and who they are.
///
/// CloudWatch Logs reads (`JobLogs`); STS' GetCallerIdentity and IAM's GetRole name the account of this server. All else
/// of another service is refused with a sentence, in the form of its protocol.
struct Companions: Sendable {
  let logs: JobLogs
  let caller: Caller

  static let logsTarget = "Logs_20140328"

  /// Of a request that is neither SageMaker's nor S3's: the service that it is for, by its target or its signature.
  static func service(of request: Request) -> String? {
    if AmazonJSON.operation(of: request, service: logsTarget) != nil { return "logs" }
    guard let scope = request.claimedScope, !["s3", "s3express", "sagemaker"].contains(scope.service) else {
      return nil
    }
    return scope.service
  }

  func respond(to request: Request, service: String) async -> Response {
    if let operation = AmazonJSON.operation(of: request, service: Self.logsTarget) {
      let caller = caller.asking(request)
      return await AmazonJSON.respond(to: request) { body throws(ControlPlaneError) in
        try await logs.respond(to: operation, body: body, from: caller)
      }
    }
    let name = String(service.prefix(40))
    if let target = AmazonJSON.target(of: request) {
      return await AmazonJSON.respond(to: request) { _ throws(ControlPlaneError) in
        throw ControlPlaneError(
          .unknownOperation, "imrec has no service \(name), and so no \(target.prefix(100)).")
      }
    }
    return await respondInXML(to: request, service: name)
  }

  /// Services of the older protocol: a form asks, XML answers.
  private func respondInXML(to request: Request, service: String) async -> Response {
    let form: [String: String]
    do throws(ControlPlaneError) {
      let body = try await AmazonJSON.body(of: request)
      form = Self.form(String(decoding: body, as: UTF8.self))
    } catch {
      return Self.failure(error.code.rawValue, error.message)
    }
    switch (service, form["Action"] ?? "") {
    case ("sts", "GetCallerIdentity"):
      return Self.answer("GetCallerIdentity", "https://sts.amazonaws.com/doc/2011-06-15/") { xml in
        xml.element("Arn", "arn:aws:sts::\(caller.account):assumed-role/imrec/local")
        xml.element("UserId", "LOCAL:local")
        xml.element("Account", caller.account)
      }
    case ("iam", "GetRole"):
      let role = form["RoleName"] ?? ""
      return Self.answer("GetRole", "https://iam.amazonaws.com/doc/2010-05-08/") { xml in
        xml.element("Role") { xml in
          xml.element("Path", "/")
          xml.element("RoleName", role)
          xml.element("RoleId", "LOCALROLE00000001")
          xml.element("Arn", "arn:aws:iam::\(caller.account):role/\(role)")
          xml.element("CreateDate", "2020-01-01T00:00:00Z")
        }
      }
    case (_, let action):
      return Self.failure(
        "InvalidAction",
        "imrec has no \(action.isEmpty ? "operation" : String(action.prefix(100))) of \(service).")
    }
  }

  private static func form(_ text: String) -> [String: String] {
    var fields: [String: String] = [:]
    for field in text.split(separator: "&").prefix(100) {
      let parts = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      fields[String(parts[0])] = parts.count == 2 ? percentDecodedText(parts[1], plusIsSpace: true) : ""
    }
    return fields
  }

  private static func answer(_ action: String, _ space: String, _ body: (inout XMLText) -> Void) -> Response {
    XMLText.document("\(action)Response", space: space) { xml in
      xml.element("\(action)Result", body)
      xml.element("ResponseMetadata") { $0.element("RequestId", "local") }
    }.response
  }

  /// As AWS's older services fail.
  static func failure(_ code: String, _ message: String, _ status: HTTPResponse.Status = .badRequest)
    -> Response
  {
    var response = XMLText.document("ErrorResponse", space: "https://imrec/") { xml in
      xml.element("Error") { xml in
        xml.element("Type", "Sender")
        xml.element("Code", code)
        xml.element("Message", message)
      }
      xml.element("RequestId", "local")
    }.response
    response.status = status
    response.headers[.connection] = "close"
    return response
  }
}
