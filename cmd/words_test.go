package cmd_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// past is what only the desk may say, since only it knows how much was done.
var past = regexp.MustCompile(`(?i)\bnothing (more )?(was|is) (run|done|changed|linked|started|removed|closed|deleted)|\bso (it|nothing) was(n't)? (run|done|closed|removed|deleted|changed)`)

// TestOnlyTheDeskSaysWhatWasChanged holds the texts of operations and of what they
// share: an error may arise when nothing was done and when half of it was, so its
// words never speak of that, and no code looks for such words in a text.
func TestOnlyTheDeskSaysWhatWasChanged(t *testing.T) {
	read := 0
	for _, root := range []string{"../ops", "../bot/team", "../bot/chat", "../bot"} {
		err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
			file = filepath.ToSlash(file)
			if err != nil || entry.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") || strings.Contains(file, "test/") || file == "../ops/error.go" {
				return err
			}
			if root == "../bot" && strings.Count(file, "/") > 2 {
				return nil // rooms of their own
			}
			read++
			set := token.NewFileSet()
			parsed, err := parser.ParseFile(set, file, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING && past.MatchString(text.Value) {
					t.Errorf("%s says what was changed: %s", set.Position(text.Pos()), text.Value)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if read < 60 {
		t.Errorf("only %d files were read", read)
	}
}
