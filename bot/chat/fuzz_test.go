package chat_test

import (
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

// hostile is a failed request all of whose words are the same.
func hostile(word string, n int) request.Request {
	r := request.Request{
		ID: "01970000-0000-7000-8000-00000000cafe", Operation: "tidy-up", State: request.Failed, At: noon, AdmittedAt: noon, EndedAt: noon, StartedAt: noon, By: word,
		Asker: request.Asker{Front: "slack", User: "U0ADA"}, Inputs: ops.Inputs{"people": {word}}, Progress: word, Reason: word,
		Plan:   &ops.Plan{Summary: word},
		Report: &ops.Report{Summary: word},
	}
	for range n {
		r.Plan.Facts = append(r.Plan.Facts, ops.Fact{Label: word, Value: word})
		r.Plan.Warnings = append(r.Plan.Warnings, word)
		r.Plan.Steps = append(r.Plan.Steps, ops.Step{Do: "tidy", Title: word, Effects: []string{word, word}})
		r.Report.Problems = append(r.Report.Problems, word)
		r.Report.Notes = append(r.Report.Notes, word)
		r.Report.Sections = append(r.Report.Sections, ops.Section{Title: word, Outcomes: []ops.Outcome{{Text: word, State: ops.Missing, Why: word}, {Text: word}}})
	}
	return r
}

func FuzzDrawings(f *testing.F) {
	for _, seed := range []string{
		"", "<!channel> <!here> <@U0GRACE> <#C0GENERAL> <https://evil.example|good>", "```\n<!channel>\n``` ` *_~ > ",
		"&lt;!channel&gt; &amp; 👩‍🚀👨‍👩‍👧‍👦 \u202e \u0000 \xff\xfe", strings.Repeat("&", 700) + strings.Repeat("<", 2500),
		strings.Repeat("a\nb\r\n", 500), strings.Repeat("``", 400) + "`" + strings.Repeat("👩‍🚀", 300),
	} {
		f.Add(seed, uint8(1))
	}
	f.Add(strings.Repeat("word ", 4000), uint8(0))
	f.Add("<!channel>"+strings.Repeat("& long ", 100), uint8(6))
	f.Fuzz(func(t *testing.T, word string, n uint8) {
		t.Parallel()
		in := func(state request.State, kind string) drawing {
			r := hostile(word, int(n%64)+1)
			r.State = state
			return drawing{r: r, kind: kind}
		}
		log := in(request.Failed, request.Log)
		for range n%64 + 1 {
			log.lines = append(log.lines, ops.Line{At: noon, Level: ops.Failure, Text: word})
		}
		for _, test := range []struct {
			name     string
			drawings []drawing
		}{
			{"cards", []drawing{in(request.Planning, request.Card), in(request.Running, request.Card), in(request.Failed, request.Card)}},
			{"replies", []drawing{in(request.Failed, request.Plan), log, in(request.Failed, request.Result)}},
		} {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				_, list := drawn(t, test.drawings...)
				if len(list) < len(test.drawings) {
					t.Errorf("%d messages came of %d drawings", len(list), len(test.drawings))
				}
				for _, m := range list {
					harmless(t, m, "U0ADA")
				}
			})
		}
	})
}
