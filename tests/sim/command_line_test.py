"""decree-sim's command line: its last line, its exit codes, what it prints of a failure."""
import argparse
import re
import subprocess
import sys
import unittest

LAST_LINE = re.compile(r"^seeds (\d+), failed (\d+), simulated hours \d+\.\d+, operations (\d+),"
                       r" moves \d+, counted \d+$")


def run(*arguments):
    done = subprocess.run([PROGRAM, "--small", *arguments], capture_output=True, text=True,
                          check=False)
    return done.returncode, done.stdout, done.stderr


class CommandLineTest(unittest.TestCase):
    def last_line(self, out):
        found = LAST_LINE.match(out.strip().splitlines()[-1])
        self.assertIsNotNone(found, out)
        return [int(number) for number in found.groups()]

    def test_seeds_that_pass_print_a_table(self):
        code, out, _ = run("--seeds", "101-103", "--jobs", "2")
        self.assertEqual(code, 0, out)
        seeds, failed, operations = self.last_line(out)
        self.assertEqual((seeds, failed), (3, 0))
        self.assertGreater(operations, 0)
        self.assertNotIn("ok   seed", out)

    def test_verbose_prints_each_seed(self):
        code, out, _ = run("--seeds", "101-102", "--verbose")
        self.assertEqual(code, 0, out)
        self.assertEqual(out.count("ok   seed"), 2)

    def test_two_processes_run_a_seed_alike(self):
        code, out, _ = run("--seed", "104", "--twice")
        self.assertEqual(code, 0, out)

    def test_trace_ends_with_the_digest_of_a_run_without_it(self):
        _, plain, _ = run("--seed", "101")
        code, traced, _ = run("--seed", "101", "--trace")
        self.assertEqual(code, 0)
        digest = re.search(r"digest (\w+)", plain).group(1)
        self.assertIn(digest, traced.splitlines()[-1])
        self.assertGreater(traced.count("\n"), 1000)

    def test_a_failure_is_shortened_to_what_matters(self):
        code, out, _ = run("--seeds", "101-140", "--pretend", "crash", "--until-failed")
        self.assertEqual(code, 1, out)
        seed = re.search(r"FAIL seed (\d+)", out).group(1)
        self.assertIn(f"replay: decree-sim --seed {seed} --pretend crash --small --trace", out)
        code, out, _ = run("--seed", seed, "--pretend", "crash")
        self.assertEqual(code, 1, out)
        fewest = re.search(r"fails with (\d+) of its \d+ faults \(\d+ runs\):\n((?:     .*\n)+)",
                           out)
        self.assertIsNotNone(fewest, out)
        self.assertEqual(fewest.group(1), "1", out)
        self.assertIn("crash of node", fewest.group(2))
        replay = re.search(r"--faults (\d+)", out).group(1)
        code, out, _ = run("--seed", seed, "--pretend", "crash", "--faults", replay)
        self.assertEqual(code, 1, out)
        code, out, _ = run("--seed", seed, "--pretend", "crash", "--faults", "none")
        self.assertEqual(code, 0, out)

    def test_a_seed_whose_process_dies_is_shortened_too(self):
        code, out, _ = run("--seeds", "101-140", "--pretend", "crash", "--pretend-death",
                           "--until-failed")
        self.assertEqual(code, 1, out)
        seed = re.search(r"FAIL seed (\d+)", out).group(1)
        code, out, _ = run("--seed", seed, "--pretend", "crash", "--pretend-death")
        self.assertEqual(code, 1, out)
        self.assertIn("ended by signal", out)
        self.assertIn("fails with 1 of its", out)
        self.assertIn("crash of node", out)

    def test_a_mark_that_is_never_reached_fails(self):
        code, out, _ = run("--seed", "101", "--faults", "none", "--require-marks")
        self.assertEqual(code, 1, out)
        self.assertIn("NEVER", out)
        self.assertEqual(self.last_line(out)[1], 0)

    def test_misuse_exits_with_two(self):
        for wrong in (["--seeds", "9-1"], ["--seeds", "x"], ["--faults", "x"], ["--nonsense"],
                      ["--trace"], ["--minutes", "x"]):
            code, _, err = run(*wrong)
            self.assertEqual(code, 2, wrong)
            self.assertTrue(err, wrong)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    PROGRAM = parser.parse_args().program
    unittest.main(argv=sys.argv[:1])
