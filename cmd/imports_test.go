package cmd_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/aws-root-account/rootbot/"

// room says what a package may import. Patterns are of path.Match, on paths
// within the module for ours and on whole paths for others.
type room struct {
	pattern string
	ours    []string // what it may import of ours
	not     []string // what it may never import of others'
}

// rooms is the plan of the house; the first pattern that matches holds. There is
// ops/githubaccess beside
// ops/awsaccess, because operations and bot/team must say the same of GitHub's errors,
// and neither may import the other; and ops/anchor, which is no operation, because
// nothing under bot speaks to AWS; and ops/terraform, which reads files for two
// operations and speaks to nobody. bot/team reads links from bot/store, and
// bot/audit names sessions as ops/awsaccess does, for CloudTrail to be searched.
var rooms = []room{
	{"ops/opstest", []string{"ops"}, nil},
	{"ops/*test", []string{}, nil},
	{"bot/slacktest", []string{}, []string{"github.com/slack-go/*", "github.com/slack-go/*/*"}},
	{"bot/processtest", []string{"bot/crowdtest"}, []string{"*.*/*", "*.*/*/*", "*.*/*/*/*", "*.*/*/*/*/*"}},
	{"bot/crowdtest", []string{}, []string{"*.*/*", "*.*/*/*", "*.*/*/*/*", "*.*/*/*/*/*"}},
	{"bot/chaos", []string{}, []string{"*.*/*", "*.*/*/*", "*.*/*/*/*", "*.*/*/*/*/*"}}, // tests only
	{"bot/worldtest", []string{"ops", "ops/awsaccess", "ops/catalog"}, []string{"github.com/slack-go/*", "github.com/slack-go/*/*"}},
	{"bot/store/storetest", []string{"bot/request", "bot/store"}, nil},
	{"ops", []string{}, []string{"*.*/*", "*.*/*/*", "*.*/*/*/*", "*.*/*/*/*/*"}},
	{"ops/awsaccess", []string{"ops"}, []string{"github.com/google/*/*/*", "github.com/slack-go/*", "github.com/slack-go/*/*"}},
	{"ops/githubaccess", []string{"ops"}, []string{"github.com/aws/*/*", "github.com/aws/*/*/*", "github.com/slack-go/*", "github.com/slack-go/*/*"}},
	{"ops/anchor", []string{"ops", "ops/awsaccess"}, []string{"github.com/google/*/*/*", "github.com/slack-go/*", "github.com/slack-go/*/*"}},
	{"ops/catalog", []string{"ops", "ops/*"}, []string{"github.com/slack-go/*", "github.com/slack-go/*/*"}},
	{"ops/step", []string{"ops", "ops/awsaccess", "ops/githubaccess"}, []string{"github.com/slack-go/*", "github.com/slack-go/*/*"}},
	{"ops/terraform", []string{}, []string{"github.com/aws/*/*", "github.com/aws/*/*/*", "github.com/google/*/*/*", "github.com/slack-go/*", "github.com/slack-go/*/*"}},
	{"ops/*", []string{"ops", "ops/awsaccess", "ops/githubaccess", "ops/step", "ops/terraform"}, []string{"github.com/slack-go/*", "github.com/slack-go/*/*"}},
	{"bot/meter", []string{}, []string{"github.com/slack-go/*", "github.com/slack-go/*/*", "github.com/aws/*", "github.com/aws/*/*", "github.com/aws/*/*/*", "github.com/google/go-github/*/*"}},
	{"bot/request", []string{"ops"}, []string{"*.*/*", "*.*/*/*", "*.*/*/*/*", "*.*/*/*/*/*"}},
	{"bot", []string{"ops", "bot/meter", "bot/request", "bot/team", "bot/store"}, []string{"github.com/slack-go/*", "github.com/slack-go/*/*", "github.com/aws/*", "github.com/aws/*/*", "github.com/aws/*/*/*"}},
	{"bot/team", []string{"ops", "ops/githubaccess", "bot/request", "bot/store"}, []string{"github.com/slack-go/*", "github.com/slack-go/*/*", "github.com/aws/*", "github.com/aws/*/*", "github.com/aws/*/*/*"}},
	{"bot/store", []string{"ops", "bot/request"}, []string{"github.com/slack-go/*", "github.com/slack-go/*/*", "github.com/aws/*", "github.com/aws/*/*", "github.com/aws/*/*/*", "github.com/google/go-github/*/*"}},
	{"bot/audit", []string{"ops", "ops/awsaccess", "bot/request", "bot/store"}, []string{"github.com/slack-go/*", "github.com/slack-go/*/*", "github.com/aws/*", "github.com/aws/*/*", "github.com/aws/*/*/*", "github.com/google/go-github/*/*"}},
	{"bot/chat", []string{"bot", "bot/meter", "bot/request", "bot/team", "bot/store", "ops"}, []string{"github.com/aws/*", "github.com/aws/*/*", "github.com/aws/*/*/*", "github.com/google/go-github/*/*"}},
	{"cmd/internal/service", []string{"bot", "bot/audit", "bot/chat", "bot/meter", "bot/request", "bot/store", "bot/team", "ops", "ops/awsaccess", "ops/githubaccess", "ops/anchor", "ops/catalog"}, nil},
	{"manifests", []string{"ops", "ops/anchor", "ops/awsaccess", "ops/catalog"}, nil},
	{"manifests/generate", []string{"manifests"}, nil},
	{"cmd/*", []string{"*", "*/*", "*/*/*"}, nil},
	{"cmd/*/*", []string{"*", "*/*", "*/*/*"}, nil},
}

// shippedWithFakes may hold a fake: a command, and what it consists of.
var shippedWithFakes = []string{"cmd/sandbox", "bot/worldtest"}

func TestImportsKeepToTheirRooms(t *testing.T) {
	packages := 0
	seen := map[string]bool{}
	err := filepath.WalkDir("..", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") || strings.Contains(file, "testdata") {
			return err
		}
		here, err := filepath.Rel("..", filepath.Dir(file))
		if err != nil {
			return err
		}
		here = filepath.ToSlash(here)
		if !seen[here] {
			seen[here] = true
			packages++
		}
		i := slices.IndexFunc(rooms, func(r room) bool { return match(r.pattern, here) })
		if i < 0 {
			t.Errorf("%s has no room in the plan", here)
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if problem := rooms[i].refuses(here, imported); problem != "" {
				t.Errorf("%s imports %s: %s", file, imported, problem)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if packages < 10 {
		t.Errorf("only %d packages were looked at", packages)
	}
}

func (r room) refuses(here, imported string) string {
	ours, isOurs := strings.CutPrefix(imported, module)
	switch {
	case !isOurs:
		if slices.ContainsFunc(r.not, func(p string) bool { return match(p, imported) }) {
			return r.pattern + " keeps out of that"
		}
	case strings.HasPrefix(ours, "cmd/") && !strings.HasPrefix(ours, "cmd/internal/"):
		return "a command is imported by nobody"
	case strings.HasSuffix(ours, "test") && !slices.Contains(r.ours, ours):
		if !slices.Contains(shippedWithFakes, here) || ours == "bot/processtest" {
			return "only the sandbox ships fakes"
		}
	case !slices.ContainsFunc(r.ours, func(p string) bool { return match(p, ours) }):
		return r.pattern + " may not import it"
	}
	return ""
}

func match(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return err == nil && ok
}

func TestTheImportRuleFindsTrespassers(t *testing.T) {
	for _, trespass := range []struct{ here, imported string }{
		{"ops", "github.com/aws/smithy-go"},
		{"ops/terraform", module + "ops"},
		{"ops/scimsync", module + "bot"},
		{"ops/scimsync", module + "ops/removeuser"},
		{"ops/scimsync", "github.com/slack-go/slack"},
		{"bot", module + "bot/chat"},
		{"bot", module + "ops/scimsync"},
		{"bot", "github.com/aws/aws-sdk-go-v2/aws"},
		{"bot/chat", "github.com/google/go-github/v62/github"},
		{"bot/store", module + "bot"},
		{"bot/chat", module + "bot/slacktest"},
		{"bot/chat", module + "bot/store/storetest"},
		{"bot/meter", module + "bot/store"},
		{"bot/meter", "github.com/slack-go/slack"},
		{"ops/awsaccess", module + "bot/meter"},
		{"cmd/rootbot", module + "ops/awstest"},
		{"cmd/rootbot", module + "bot/worldtest"},
		{"cmd/sandbox", module + "bot/processtest"},
		{"bot/chat", module + "bot/worldtest"},
		{"bot/worldtest", module + "bot"},
		{"cmd/rootbot", module + "cmd/sandbox"},
	} {
		i := slices.IndexFunc(rooms, func(r room) bool { return match(r.pattern, trespass.here) })
		if i < 0 || rooms[i].refuses(trespass.here, trespass.imported) == "" {
			t.Errorf("%s may import %s", trespass.here, trespass.imported)
		}
	}
}
