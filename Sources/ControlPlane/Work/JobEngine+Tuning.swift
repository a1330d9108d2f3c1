extension JobEngine {
  func tune(_ work: Work) async {
    await finishFailed(work, "InternalServerError: tuning jobs are not run yet")
  }
}
