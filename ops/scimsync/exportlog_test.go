package scimsync

import "slices"

// Entry is what one line of a log says of a run.
type Entry struct {
	Level, Message, ID string
	Start, Report      bool
	Known              bool   // the form of the line
	Failed             string // how the run ended, as Lambda says
	Owner              string // the request ID in the envelope
}

// ReadEntry reads one line of a log.
func ReadEntry(text string) Entry {
	said := parseEntry(text)
	return Entry{Level: said.level, Message: said.message, ID: said.id, Start: said.start, Report: said.report, Known: said.known, Failed: said.failed, Owner: said.owner}
}

// Own is which lines of a stream are a run's own.
func Own(lines []string, id string) []string {
	var events []event
	for _, line := range lines {
		events = append(events, event{text: line})
	}
	var texts []string
	for _, e := range own(slices.Clip(events), id) {
		texts = append(texts, e.text)
	}
	return texts
}

// Announced is the change that a message announces, in names.
func Announced(v Vocabulary, message string, d Directory) (what, team, login string, ok bool, err error) {
	g, err := v.compile()
	if err != nil {
		return "", "", "", false, err
	}
	c, ok := g.parse(message).change(d, d)
	return c.what, c.team, c.login, ok, nil
}

// FirstLine is a fault as a report has it.
func FirstLine(text string) string { return firstLine(text) }
