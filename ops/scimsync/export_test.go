package scimsync

import "encoding/json"

// Read is how one line of a log is read with a vocabulary: its level, what it
// announces (a name of the vocabulary), its message, and that with the names of
// d beside the IDs.
func Read(v Vocabulary, text string, d Directory) (level, announces, message, named string, err error) {
	g, err := v.compile()
	if err != nil {
		return "", "", "", "", err
	}
	o := &operation{}
	line, p, said := o.reading(event{id: "1", text: text}, g, d)
	return string(line.Level), p.name, said.message, line.Text, nil
}

// PlannedStore is the identity store that the steps of a plan with such data go by.
func PlannedStore(s *Settings, text []byte) (string, error) {
	var kept data
	if err := json.Unmarshal(text, &kept); err != nil {
		return "", err
	}
	return (&operation{settings: *s}).under(kept.Terms).settings.IdentityStore, nil
}
