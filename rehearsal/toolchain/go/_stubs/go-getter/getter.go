// Package getter takes the place of hashicorp/go-getter, which fetches Terraform modules and providers from Git, S3
// and Google's storage. Nothing is fetched by a provider that is one program: every function fails.
package getter

import (
	"context"
	"errors"
	"io"
	"os"
)

var errLeftOut = errors.New("fetching Terraform modules and providers is left out of this random provider, " +
	"which was built for rehearsals only; see docs/toolchain.md, or install the vendor's own")

// Detector stands for what guesses where a source lies.
type Detector interface{}

// Detectors is empty.
var Detectors []Detector

// Detect fails.
func Detect(string, string, []Detector) (string, error) { return "", errLeftOut }

// Get fails.
func Get(string, string) error { return errLeftOut }

// Copy fails.
func Copy(context.Context, io.Writer, io.Reader) (int64, error) { return 0, errLeftOut }

// SourceDirSubdir finds no folder within a source; whoever asks for it comes to Detect or Get next.
func SourceDirSubdir(source string) (string, string) { return source, "" }

// SubdirGlob fails.
func SubdirGlob(string, string) (string, error) { return "", errLeftOut }

// FolderStorage holds nothing.
type FolderStorage struct{ StorageDir string }

// Dir fails.
func (*FolderStorage) Dir(string) (string, bool, error) { return "", false, errLeftOut }

// Get fails.
func (*FolderStorage) Get(string, string, bool) error { return errLeftOut }

// ZipDecompressor unpacks nothing.
type ZipDecompressor struct{}

// Decompress fails.
func (ZipDecompressor) Decompress(string, string, bool, os.FileMode) error { return errLeftOut }
