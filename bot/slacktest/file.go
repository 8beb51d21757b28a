package slacktest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
)

// File is a file that was shared. See https://docs.slack.dev/reference/objects/file-object/.
type File struct {
	ID       string
	Name     string
	Title    string // what people read; the name where the app gave none
	Content  []byte
	Channel  string // where it was shared; "" for nowhere
	ThreadTS string
	User     string // who shared it
}

// Lines counts the lines of the content; an unfinished last one counts.
func (f File) Lines() int {
	n := strings.Count(string(f.Content), "\n")
	if len(f.Content) > 0 && f.Content[len(f.Content)-1] != '\n' {
		n++
	}
	return n
}

// String is how a file is shown under its message: 📎 run.log (12 lines).
func (f File) String() string {
	if n := f.Lines(); n != 1 {
		return fmt.Sprintf("📎 %s (%d lines)", f.Name, n)
	}
	return fmt.Sprintf("📎 %s (1 line)", f.Name)
}

// file is a File from the moment an address to upload it to was asked for.
type file struct {
	File
	length   int
	uploaded bool
	shared   bool
}

// Files lists the files that were shared, oldest first.
func (w *Workspace) Files() []File {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []File
	for _, f := range w.files {
		if f.shared {
			all = append(all, f.File)
		}
	}
	return all
}

// filesGetUploadURL: see https://docs.slack.dev/reference/methods/files.getUploadURLExternal/.
func (w *Workspace) filesGetUploadURL(c *call) (any, error) {
	n, err := strconv.Atoi(c.arg("length"))
	if err != nil || n <= 0 || c.arg("filename") == "" {
		return nil, invalid("invalid_arguments", []string{"missing required field: length or filename"})
	}
	f := &file{File: File{ID: w.id("F"), Name: c.arg("filename"), User: w.BotUserID}, length: n}
	key := w.id("upload")
	w.uploads[key] = f
	w.files = append(w.files, f)
	return object{"upload_url": cmp.Or(w.opts.FilesURL, w.base()) + "/upload/v1/" + key, "file_id": f.ID}, nil
}

func (w *Workspace) serveUpload(rw http.ResponseWriter, r *http.Request) {
	answered, after := w.faulty(rw, r, "upload")
	if answered {
		return
	}
	content, err := body(r)
	if err != nil {
		http.Error(rw, "unreadable upload", http.StatusBadRequest)
		return
	}
	w.mu.Lock()
	f := w.uploads[r.PathValue("key")]
	switch {
	case f == nil || f.uploaded:
		w.problemLocked("upload to an address that was not given out, or was used")
		w.mu.Unlock()
		http.NotFound(rw, r)
		return
	case len(content) != f.length:
		w.problemLocked("upload of %s: %d bytes where %d were announced", f.Name, len(content), f.length)
		w.mu.Unlock()
		http.Error(rw, "length mismatch", http.StatusBadRequest)
		return
	}
	f.Content, f.uploaded = content, true
	w.changedLocked()
	w.mu.Unlock()
	if after() {
		return
	}
	_, _ = fmt.Fprintf(rw, "OK - %d", len(content))
}

// body is what was uploaded: the first file of a form, or everything.
func body(r *http.Request) ([]byte, error) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "multipart/form-data" {
		return io.ReadAll(r.Body)
	}
	form, err := r.MultipartReader()
	if err != nil {
		return nil, fmt.Errorf("read the form: %w", err)
	}
	for {
		part, err := form.NextPart()
		if err != nil {
			return nil, fmt.Errorf("find a file in the form: %w", err)
		}
		if part.FileName() != "" {
			return io.ReadAll(part)
		}
	}
}

// filesCompleteUpload shares what was uploaded, in one message per channel.
// See https://docs.slack.dev/reference/methods/files.completeUploadExternal/.
func (w *Workspace) filesCompleteUpload(c *call) (any, error) {
	var wanted []struct{ ID, Title string }
	if json.Unmarshal([]byte(c.arg("files")), &wanted) != nil || len(wanted) == 0 {
		return nil, invalid("invalid_arguments", []string{"must provide an array [json-pointer:/files]"})
	}
	var files []*file
	for _, one := range wanted {
		i := slices.IndexFunc(w.files, func(f *file) bool { return f.ID == one.ID })
		if i < 0 || !w.files[i].uploaded || w.files[i].shared {
			return nil, apiError("file_not_found")
		}
		f := w.files[i]
		f.Title = one.Title
		if f.Title == "" {
			f.Title = f.Name
		}
		files = append(files, f)
	}
	said := content{text: c.arg("initial_comment")}
	if raw := c.arg("blocks"); raw != "" && said.text == "" {
		blocks, err := w.checkBlocks(raw, message)
		if err != nil {
			return nil, err
		}
		said.blocks = blocks
	}
	ids := strings.FieldsFunc(c.arg("channel_id")+","+c.arg("channels"), func(r rune) bool { return r == ',' })
	var into []*channel
	for _, id := range ids {
		ch, err := w.writable(id)
		if err != nil {
			return nil, err
		}
		if thread := c.arg("thread_ts"); thread != "" && ch.find(thread) == nil {
			return nil, apiError("thread_not_found")
		}
		into = append(into, ch)
	}
	for _, f := range files {
		f.shared = true
	}
	for _, ch := range into {
		m := w.say(ch, w.BotUserID, c.arg("thread_ts"), said)
		for _, f := range files {
			m.Files = append(m.Files, w.share(f, m))
		}
		w.tell(Event{Kind: Posted, Message: m.snapshot()})
	}
	var done []object
	for _, f := range files {
		done = append(done, w.fileObject(f.File))
	}
	w.changedLocked()
	return object{"files": done}, nil
}

// share puts f where m is.
func (w *Workspace) share(f *file, m *Message) File {
	if f.ID == "" {
		f.ID = w.id("F")
		w.files = append(w.files, f)
	}
	if f.Title == "" {
		f.Title = f.Name
	}
	f.shared, f.Channel, f.ThreadTS = true, m.Channel, m.ThreadTS
	w.tell(Event{Kind: Uploaded, File: f.File})
	return f.File
}

func (w *Workspace) fileObject(f File) object {
	private := fmt.Sprintf("%s/files-pri/%s/%s", w.base(), f.ID, f.Name)
	kind := strings.TrimPrefix(path.Ext(f.Name), ".")
	if kind == "" || kind == "log" {
		kind = "text"
	}
	return object{
		"id": f.ID, "name": f.Name, "title": f.Title, "user": f.User, "size": len(f.Content), "mode": "hosted",
		"created": 1700000000, "timestamp": 1700000000, "filetype": kind, "mimetype": http.DetectContentType(f.Content),
		"pretty_type": strings.ToUpper(kind), "url_private": private, "url_private_download": private, "is_external": false,
	}
}

func (w *Workspace) serveFile(rw http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+w.BotToken {
		http.Error(rw, "not_authed", http.StatusForbidden)
		return
	}
	for _, f := range w.Files() {
		if f.ID == r.PathValue("id") {
			_, _ = rw.Write(f.Content)
			return
		}
	}
	http.NotFound(rw, r)
}
