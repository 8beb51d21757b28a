package cmd_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documents are what newcomers read, by their paths from here.
var documents = []string{"../README.md", "../.github/CONTRIBUTING.md", "../.github/SECURITY.md"}

var (
	testName    = regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w*`)
	declared    = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Z]\w*)\(`)
	packageName = regexp.MustCompile("(?m)^\\| ((?:`[a-z/]+`(?:, )?)+) \\|")
	folder      = regexp.MustCompile(`[a-z/]+`)
	testsOf     = regexp.MustCompile("`((?:bot|cmd|manifests|ops)[a-z/]*)` ((?:`\\w+`(?:, )?)+)")
)

// repository reads which tests each folder has, and which folders hold a package.
func repository(t *testing.T) (tests map[string][]string, packages map[string]bool) {
	t.Helper()
	tests, packages = map[string][]string{}, map[string]bool{}
	err := filepath.WalkDir("..", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(file, ".go") || strings.Contains(file, "testdata") || strings.Contains(file, "/.") {
			return err
		}
		here, err := filepath.Rel("..", filepath.Dir(file))
		if err != nil {
			return err
		}
		here = filepath.ToSlash(here)
		packages[here] = true
		if !strings.HasSuffix(file, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(file)
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			tests[here] = append(tests[here], m[1])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests, packages
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A document may name the beginning of a test's name, as go test -run takes it.
func TestEveryTestThatADocumentNamesIsThere(t *testing.T) {
	tests, _ := repository(t)
	there := func(named string, in []string) bool {
		return slices.ContainsFunc(in, func(name string) bool { return strings.HasPrefix(name, named) })
	}
	all := slices.Concat(slices.Collect(maps.Values(tests))...)
	for _, file := range documents {
		text := read(t, file)
		for _, named := range testName.FindAllString(text, -1) {
			if !there(named, all) {
				t.Errorf("%s names %s, and there is no such test", file, named)
			}
		}
		for _, m := range testsOf.FindAllStringSubmatch(text, -1) {
			for _, named := range testName.FindAllString(m[2], -1) {
				if !there(named, tests[m[1]]) {
					t.Errorf("%s names %s of %s, which has no such test", file, named, m[1])
				}
			}
		}
	}
}

func TestTheReadmesMapHasEveryPackage(t *testing.T) {
	_, packages := repository(t)
	mapped := map[string]bool{}
	_, built, _ := strings.Cut(read(t, "../README.md"), "\n## How it is built\n")
	for _, m := range packageName.FindAllStringSubmatch(built, -1) {
		for _, name := range folder.FindAllString(m[1], -1) {
			if !packages[name] {
				t.Errorf("the README's map has %s, and there is no such package", name)
			}
			mapped[name] = true
		}
	}
	for name := range packages {
		if !mapped[name] {
			t.Errorf("the README's map lacks %s: add a line to How it is built", name)
		}
	}
}
