import Encodings
package import HTTP
package import HTTPTypes
package import Hummingbird
import NIOCore

/// Why a request that must be signed is not answered; each service has its own form for it.
package struct SignatureRefusal: Error, Sendable {
  package let status: HTTPResponse.Status
  /// As services other than S3 spell it.
  package let code: String
  package let message: String

  package init(status: HTTPResponse.Status, code: String, message: String) {
    (self.status, self.code, self.message) = (status, code, message)
  }
}

/// Lets requests of SageMaker's control plane and runtime pass that one credential has signed.
///
/// S3 checks its own: there the body's digest is in the head, and the body need not be held.
package struct SignatureGate: Sendable {
  private let credential: Credential
  private let bodies: ReceivedBytes

  package init(_ credential: Credential, bodies: ReceivedBytes) {
    self.credential = credential
    self.bodies = bodies
  }

  /// - Parameters:
  ///   - limit: bytes of the body.
  ///   - service: the one whose name must be signed.
  /// - Returns: the request with its body held whole: the signature is over its digest.
  package func admit(
    _ request: Request, limit: Int, service: String = "sagemaker"
  ) async throws(SignatureRefusal) -> Request {
    let verifier = RequestVerifier([credential], rules: .general, service: service)
    do throws(SignatureError) {
      _ = try verifier.verify(request.head, bodyDigest: "", now: .now)
    } catch {
      // All else is wrong whatever the body is: nothing is read for it.
      guard error.code == .signatureDoesNotMatch else { throw SignatureRefusal(error) }
    }
    let body = try await body(of: request, limit: limit)
    do throws(SignatureError) {
      _ = try verifier.verify(request.head, bodyDigest: sha256Text(Array(buffer: body)), now: .now)
    } catch {
      throw SignatureRefusal(error)
    }
    var admitted = request
    admitted.body = RequestBody(buffer: body)
    return admitted
  }

  private func body(of request: Request, limit: Int) async throws(SignatureRefusal) -> ByteBuffer {
    let tooLarge = SignatureRefusal(
      status: .contentTooLarge, code: "ValidationException",
      message: "The request has more than \(limit) bytes.")
    if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limit { throw tooLarge }
    var body = ByteBuffer()
    var count = 0
    // The service that it is for counts it anew.
    defer { bodies.give(back: count) }
    do {
      for try await part in request.body {
        guard part.readableBytes <= limit - count else { throw tooLarge }
        guard bodies.take(part.readableBytes) else {
          throw SignatureRefusal(
            status: .serviceUnavailable, code: "ServiceUnavailable",
            message: "Too much is being received; try again soon.")
        }
        count += part.readableBytes
        body.writeImmutableBuffer(part)
      }
    } catch let refusal as SignatureRefusal {
      throw refusal
    } catch {
      throw SignatureRefusal(
        status: .badRequest, code: "ValidationException", message: "The request's body did not arrive.")
    }
    return body
  }
}

extension SignatureRefusal {
  init(_ error: SignatureError) {
    self.init(
      status: .init(code: error.statusCode), code: error.generalCode, message: error.message)
  }
}

extension Request {
  /// The region and the service that a signature says it is for; it may be a wrong one.
  ///
  /// `Credential=KEY/20261129/eu-west-1/sagemaker/aws4_request` in the header, or `X-Amz-Credential` in the query.
  package var claimedScope: (region: String, service: String)? {
    let credential: String
    if let header = headers[.authorization] {
      guard let start = header.firstRange(of: "Credential=")?.upperBound else { return nil }
      credential = String(header[start...].prefix { $0 != "," && $0 != " " })
    } else {
      guard let value = RequestTarget(head.path ?? "/").value("X-Amz-Credential") else { return nil }
      credential = value
    }
    let parts = credential.split(separator: "/", omittingEmptySubsequences: false).suffix(4).map(String.init)
    return parts.count == 4 && parts[3] == "aws4_request" ? (parts[1], parts[2]) : nil
  }
}
