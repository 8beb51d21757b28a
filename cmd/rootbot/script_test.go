package main_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/aws-root-account/rootbot/bot/processtest"
	"github.com/aws-root-account/rootbot/bot/worldtest"
)

// TestCommandLine plays testdata/script: how the program is used from a
// terminal, and what it says. Each script has a world and its settings,
// rootbot.yaml, to itself, and these commands beside testscript's own:
//
//	invoked <n>    the function was invoked so often, always with {}
//	calls <n>      AWS was called so often in all
//	synced         Identity Center has the people and teams of GitHub
//	posted <n>     so many messages were posted in Slack
func TestCommandLine(t *testing.T) {
	t.Parallel()
	path := processtest.Binary(t)
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Deadline:            time.Now().Add(2 * time.Minute),
		Setup: func(env *testscript.Env) error {
			w := worldtest.New(small)
			env.Defer(w.Close)
			env.Values["world"] = w
			w.GitHub.AddToken("ghp_magpie", "magpie")
			w.GitHub.AddToken("ghp_noscope", "otter", "gist")
			values := w.Env()
			maps.Copy(values, map[string]string{
				"DATABASE_URL":   "sqlite:rootbot.db",
				"ROOTBOT_LISTEN": "127.0.0.1:0",
				"JOINER":         w.Joiner,
				"PATH":           filepath.Dir(path) + string(os.PathListSeparator) + os.Getenv("PATH"),
			})
			for _, name := range slices.Sorted(maps.Keys(values)) {
				env.Setenv(name, values[name])
			}
			return os.WriteFile(filepath.Join(env.WorkDir, "rootbot.yaml"), []byte(hasty(w.Config())), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"invoked": counting("invoked", func(w *worldtest.World) int {
				n := 0
				for _, c := range w.AWS.Calls() {
					if c.Name() == "lambda:InvokeFunction" && string(c.Payload) == "{}" {
						n++
					}
				}
				return n
			}),
			"calls":  counting("calls", func(w *worldtest.World) int { return w.AWS.Count("*") }),
			"posted": counting("posted", func(w *worldtest.World) int { return w.Slack.Count("chat.postMessage") }),
			"synced": func(ts *testscript.TestScript, neg bool, args []string) {
				w := ts.Value("world").(*worldtest.World)
				if there := slices.Contains(w.Store.Snapshot().Users, w.Joiner+worldtest.Suffix); there == neg {
					ts.Fatalf("that Identity Center has %s is %v", w.Joiner, there)
				}
			},
		},
	})
}

// counting makes a command that compares a number.
func counting(name string, count func(*worldtest.World) int) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 1 {
			ts.Fatalf("usage: %s <n>", name)
		}
		want, err := strconv.Atoi(strings.TrimSpace(args[0]))
		ts.Check(err)
		if n := count(ts.Value("world").(*worldtest.World)); n != want {
			ts.Fatalf("%s", fmt.Sprintf("%s %d, not %d", name, n, want))
		}
	}
}
