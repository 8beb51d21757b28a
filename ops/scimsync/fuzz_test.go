package scimsync_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops/scimsync"
)

// FuzzLog looks for a log out of which something is read that doesn't stand
// there: a beginning, an end, a request ID, a change, or a line of another run.
func FuzzLog(f *testing.F) {
	const (
		id    = "6f1f7a5e-8b5c-4c53-9d0f-0f6f5d4e3c2b"
		other = "0199a3c2-7d51-7c0a-9f3e-5b6f1d2c3e4f"
		node  = "2026-01-02T06:00:01.123Z\t"
	)
	start := func(id string) string { return "START RequestId: " + id + " Version: $LATEST\n" }
	report := func(id string) string { return "REPORT RequestId: " + id + "\tDuration: 1 ms\tStatus: timeout\n" }
	for _, seed := range []string{
		"", "\n\n", "\xff\n\x00\n\x1b[31mred\x1b[0m <!channel>\n",
		start(id) + node + id + "\tINFO\tcreating group platform\n" + report(id),
		report(other) + start(id) + node + "undefined\tERROR\tit broke\n" + report(id) + start(other) + node + other + "\tINFO\tdeleting user u1\n" + report(other),
		start(other) + start(id) + start(other) + report(id), report(id) + start(other), "START RequestId: \nREPORT RequestId: \tx\n", "START RequestId: " + id,
		jsonStart(id) + "\n" + jsonLine(id, "INFO", "deleting membership m1") + "\n" + jsonReport(id, "timeout") + "\n" + jsonStart(other) + "\n",
		jsonLine(id, "WARN", map[string]string{"errorType": "x"}) + "\n" + jsonLine(id, "ERROR", nil) + "\n" + jsonLine(id, "", 3.5) + "\n" + `{"level":3,"message":"x"}` + "\n" + `{"type":"platform.start"}` + "\n",
		jsonLine(id, "INFO", jsonReport(other, "success")) + "\n" + `{"message":"START RequestId: 1","type":"platform.report","record":{"requestId":"\u0031"}}` + "\n",
		node + id + "\tINFO\tcreating group membership for user u1 in group g1\n" + node + id + "\tINFO\tcreating group membership for user undefined in group g9\n" + node + id + "\tINFO\tcreating user Mona@example.org\n",
		node + id + "\tTRACE\tgroup memberships for group g1-g1\n" + node + "\tINFO\tdeleting user \u202eu1\n" + "2026-01-02T06:00:01.123Z\t" + id + "\tINFO\tdeleting group g1\tg2\n" + node + id + "\tINFO\tdeleting membership m9\n",
		start(id) + "[ERROR]\t2026-01-02T06:00:01.123Z\t" + id + "\tit broke\n" + `{"level":50,"msg":"it broke","requestId":"` + other + `"}` + "\n" + `level=error msg="it broke"` + "\nEND RequestId: " + id + "\n",
		node + id + "\tINFO\t" + `{"level":"error","message":"{\"level\":50,\"msg\":\"x\"}"}` + "\n" + jsonLine(id, "INFO", "ERROR: it broke") + "\npanic: it broke\n\ngoroutine 1 [running]:\nmain.main()\n",
	} {
		f.Add(seed, id)
	}
	f.Add(start(""), "")
	vocabulary := scimsync.Defaults().Vocabulary
	f.Fuzz(func(t *testing.T, log, id string) {
		lines := strings.Split(strings.ToValidUTF8(log, "\ufffd"), "\n") // AWS answers in JSON
		for _, line := range lines {
			line = regexp.MustCompile(`\x1b\[[0-9;]*m`).ReplaceAllString(line, "") // colours aren't told
			said := scimsync.ReadEntry(line)
			if diff := cmp.Diff(said, scimsync.ReadEntry(line)); diff != "" {
				t.Errorf("%q is read in two ways:\n%s", line, diff)
			}
			entryOf(t, line, said)
			announced(t, vocabulary, said.Message)
		}
		mine := scimsync.Own(lines, id)
		if !contains(lines, mine) {
			t.Errorf("%q isn't a part of %q", mine, lines)
		}
		strangers := func(list []string) bool {
			return slices.ContainsFunc(list, func(line string) bool {
				said := scimsync.ReadEntry(line)
				return said.ID != "" && said.ID != id
			})
		}
		if strangers(mine) {
			t.Errorf("another run begins or ends in %q", mine)
		}
		if !strangers(lines) && len(mine) != len(lines) {
			t.Errorf("nobody else is in %q, and yet the run has only %q", lines, mine)
		}
		if again := scimsync.Own(mine, id); !slices.Equal(again, mine) {
			t.Errorf("%q becomes %q", mine, again)
		}
	})
}

// entryOf complains of what doesn't come from the line itself.
func entryOf(t *testing.T, line string, said scimsync.Entry) {
	t.Helper()
	// What stands in a line, also where JSON spells it in another way.
	there := func(text string) bool {
		if strings.Contains(line, text) {
			return true
		}
		var value any
		return json.Unmarshal([]byte(line), &value) == nil && stands(value, text)
	}
	if said.Start && said.Report || (said.Start || said.Report) && said.Level != "" || said.ID != "" && !said.Start && !said.Report {
		t.Errorf("%q is %+v", line, said)
	}
	if !there(said.ID) {
		t.Errorf("the request ID %q doesn't stand in %q", said.ID, line)
	}
	spaced := func(text string) string { return strings.Join(strings.Fields(text), " ") } // a report's tabs become spaces
	if !there(said.Message) && spaced(said.Message) != spaced(line) && !json.Valid([]byte(said.Message)) {
		t.Errorf("the message %q doesn't stand in %q", said.Message, line)
	}
	if !utf8.ValidString(said.Message + said.ID) {
		t.Errorf("%q isn't UTF-8: %+v", line, said)
	}
	if strings.ContainsAny(said.ID, " \n") && strings.HasPrefix(line, "START ") {
		t.Errorf("the request ID of %q is %q", line, said.ID)
	}
	if first := scimsync.FirstLine(said.Message); strings.Contains(first, "\n") || utf8.RuneCountInString(first) > 201 || !strings.Contains(said.Message, strings.TrimSuffix(first, "…")) {
		t.Errorf("the first line of %q is %q", said.Message, first)
	}
}

// stands tells whether a text is among the texts of a JSON value, also where one of
// them is JSON itself or has the text within the envelope of another logger.
func stands(value any, text string) bool {
	switch v := value.(type) {
	case string:
		var inner any
		return strings.Contains(v, text) || json.Unmarshal([]byte(v), &inner) == nil && stands(inner, text)
	case []any:
		return slices.ContainsFunc(v, func(one any) bool { return stands(one, text) })
	case map[string]any:
		for _, one := range v {
			if stands(one, text) {
				return true
			}
		}
	}
	return text == ""
}

// announced complains of a change in which somebody or something is named whom
// the message doesn't name.
func announced(t *testing.T, vocabulary scimsync.Vocabulary, message string) {
	t.Helper()
	what, team, login, ok, err := scimsync.Announced(vocabulary, message, directory)
	if err != nil {
		t.Fatal(err)
	}
	if !ok && what+team+login != "" {
		t.Errorf("nothing is announced in %q, and yet %s %s %s", message, what, team, login)
	}
	named := func(name string, ids ...string) bool {
		return name == "" || strings.Contains(strings.ToLower(message), strings.ToLower(name)) || slices.ContainsFunc(ids, func(id string) bool { return strings.Contains(message, id) })
	}
	if !named(team, map[string][]string{"platform": {"g1", "m1"}}[team]...) || !named(login, map[string][]string{"mona": {"u1"}, "octocat": {"u2", "m1"}}[login]...) {
		t.Errorf("%q announces %s %q %q", message, what, team, login)
	}
}

// contains tells whether part stands in whole, in one piece.
func contains(whole, part []string) bool {
	for i := 0; i+len(part) <= len(whole); i++ {
		if slices.Equal(whole[i:i+len(part)], part) {
			return true
		}
	}
	return false
}
