package import Hummingbird
import S3

/// SageMaker's control plane over HTTP.
package struct ControlPlaneService: Sendable {
  package let api: SageMakerAPI
  /// Where a request does not say by its signature which region it is for.
  let caller: Caller

  package init(_ api: SageMakerAPI, caller: Caller = Caller()) {
    self.api = api
    self.caller = caller
  }

  /// The operation that a request asks for; nil where it is none of SageMaker's.
  package static func operation(of request: Request) -> String? {
    AmazonJSON.operation(of: request, service: "SageMaker")
  }

  package func respond(to request: Request, operation: String) async -> Response {
    let caller = caller.asking(request)
    return await AmazonJSON.respond(to: request) { body throws(ControlPlaneError) in
      try await api.respond(to: operation, body: body, from: caller)
    }
  }
}

extension Caller {
  /// The caller of a request: the region stands in its signature's scope,
  /// `Credential=KEY/20261129/eu-west-1/sagemaker/aws4_request`.
  package func asking(_ request: Request) -> Caller {
    var caller = self
    if let region = request.claimedScope?.region, Self.isRegion(region) { caller.region = region }
    return caller
  }

  private static func isRegion(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count <= 32
      && text.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == UInt8(ascii: "-") }
  }
}
