/**
 * The spec reporter, and one more line for programs that read the end of a log; or, with the option `counts=FILE`, what they
 * are to add up. Mocha loads reporters by `require`.
 */
const { writeFileSync } = require('node:fs');
const { reporters } = require('mocha');

class SummaryReporter extends reporters.Spec {
  epilogue() {
    super.epilogue();
    const { passes, failures, pending } = this.stats;
    const { counts } = this.options.reporterOptions ?? {};
    if (counts !== undefined) writeFileSync(counts, JSON.stringify({ passes, failures, pending }));
    else process.stdout.write(`${passes} passed, ${failures} failed${pending > 0 ? `, ${pending} skipped` : ''}\n`);
  }
}

module.exports = SummaryReporter;
