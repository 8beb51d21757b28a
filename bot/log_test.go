package bot_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
)

// operatorsLog keeps the lines of a log, as JSON.
type operatorsLog struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *operatorsLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(line)
}

type logLine struct {
	Level                  slog.Level
	Msg                    string
	Request, Operation, By string
	Yes                    *bool
	Why                    string
}

// about are the lines about a request, in order.
func (l *operatorsLog) about(t *testing.T, id string) []logLine {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var lines []logLine
	for text := range strings.Lines(l.all.String()) {
		var line logLine
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if line.Request == id {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestTheDebugLogTellsEachDecisionAboutARequest(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		leave string // the login that leaves the team before another member approves
		asker string // empty: octocat, of the team
		want  []string
		no    string // what asking again says; empty: yes
		loud  bool   // warnings are due
	}{
		{
			name: "a run that goes well, which warns of nothing",
			want: []string{
				"claimed", "may ask", "nothing is doubtful", "request admitted", "a plan is made", "request planned", "waits for approvals",
				"a click does nothing", "request approved", "asked again whether it may go on", "request started", "calls a step", "request step-ended",
			},
		},
		{
			name: "a person who may not ask, which needs nobody's look", asker: "U3",
			want: []string{"claimed", "request stopped", "request refused"},
		},
		{
			name: "a requester who has left by the time of the approval", leave: "octocat", no: "octocat", loud: true,
			want: []string{"waits for approvals", "request approved", "asked again whether it may go on", "request refused"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h, log := build(t), &operatorsLog{}
			h.stand(noon)
			operation := (&shelf{plan: *planOf(2)}).operation()
			h.terms = map[string]request.Terms{operation.Name: demands(1)}
			h.settle = func(d *bot.Desk) {
				d.Log = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			}
			h.begin(operation)
			r := h.asking(bot.Asking{Operation: operation.Name, Asker: by(cmp.Or(test.asker, "U1"))})
			if test.asker == "" {
				r = h.reach(r.ID, request.Waiting)
				h.press("U1", request.Approve, r, "") // the requester's own approval doesn't count
				if test.leave != "" {
					h.gh.RemoveMember(admins, test.leave)
				}
				h.press("U2", request.Approve, r, "")
			}
			h.until(r.ID, "ended, and in the log", func(r request.Request) bool {
				last := test.want[len(test.want)-1] // a line follows the commit
				return r.State.Ended() && slices.ContainsFunc(log.about(t, r.ID), func(l logLine) bool { return l.Msg == last })
			})
			lines := log.about(t, r.ID)
			rest := test.want
			for _, line := range lines {
				if len(rest) > 0 && line.Msg == rest[0] {
					rest = rest[1:]
				}
				if line.Operation != operation.Name || line.By == "" {
					t.Errorf("a line doesn't say of which operation and by whom: %+v", line)
				}
				if line.Level > slog.LevelInfo && !test.loud {
					t.Errorf("it warns: %+v", line)
				}
			}
			if len(rest) > 0 {
				t.Errorf("%q isn't told in its turn: %+v", rest[0], lines)
			}
			if test.asker != "" {
				return
			}
			i := slices.IndexFunc(lines, func(l logLine) bool { return l.Yes != nil })
			if i < 0 || *lines[i].Yes != (test.no == "") || !strings.Contains(lines[i].Why, test.no) {
				t.Errorf("it isn't told what asking again said: %+v", lines)
			}
		})
	}
}
