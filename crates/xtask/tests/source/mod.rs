//! The sources of the workspace's crates as tokens: their modules, what each imports, and which paths it
//! names.
#![allow(dead_code)] // Each test uses some of it.

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A module by its path in the crate; empty for the root.
pub type Module = Vec<String>;

/// Keywords behind which a name is defined.
const DEFINES: [&str; 8] = ["struct", "enum", "trait", "fn", "const", "static", "type", "union"];

/// A `use` of one name.
pub struct Import {
    /// The path, without its alias; ends with `*` for all names.
    pub path: Vec<String>,
    /// What the file calls it.
    pub alias: String,
    /// Whether it is re-exported.
    pub is_public: bool,
}

/// What a file says.
#[derive(Default)]
pub struct File {
    /// Its `use` items, a name each.
    pub imports: Vec<Import>,
    /// Inline paths of two segments and more.
    pub paths: BTreeSet<Vec<String>>,
    /// Single names.
    pub idents: BTreeSet<String>,
    defined: BTreeSet<String>,
    /// The modules that it declares, but for tests.
    children: BTreeSet<String>,
}

/// A crate's files.
pub struct Crate {
    /// Its name.
    pub name: String,
    files: BTreeMap<Module, (String, File)>,
}

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("xtask is in crates").to_owned()
}

/// The names of the workspace's crates.
pub fn crates() -> Vec<String> {
    let folders = std::fs::read_dir(root().join("crates")).expect("crates").flatten();
    let folders = folders.filter(|folder| folder.path().join("Cargo.toml").exists());
    let mut names: Vec<_> = folders.map(|folder| folder.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Every file with an extension under a folder, but for what was built or fetched.
pub fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let skipped = [".git", ".peers", "node_modules", ".venv"];
                // Cargo marks its target directory, whatever it is called.
                let is_built = path.join("CACHEDIR.TAG").exists();
                if !is_built && !skipped.iter().any(|skipped| name == *skipped) {
                    waiting.push(path);
                }
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

impl Crate {
    /// Reads a crate of the workspace: its library, or without one its program.
    pub fn read(name: &str) -> Crate {
        let source = root().join("crates").join(name).join("src");
        let has_library = source.join("lib.rs").exists();
        let mut of = Crate { name: name.to_owned(), files: BTreeMap::new() };
        for path in files(&source, "rs") {
            let relative = path.strip_prefix(&source).expect("it is inside").with_extension("");
            let mut module: Module =
                relative.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
            let last = module.last().cloned().unwrap_or_default();
            match last.as_str() {
                "main" if has_library && module.len() == 1 => continue,
                "lib" | "main" if module.len() == 1 => module.clear(),
                "mod" => drop(module.pop()),
                _ => {}
            }
            let text = std::fs::read_to_string(&path).expect("a source");
            let shown = path.strip_prefix(&source).expect("it is inside").to_string_lossy().into_owned();
            of.files.insert(module, (shown, File::parse(&text)));
        }
        of.keep_declared();
        of
    }

    /// Forgets files that nobody declares, or tests alone.
    fn keep_declared(&mut self) {
        let declared = |module: &Module| {
            (0..module.len()).all(|depth| {
                let parent = self.files.get(&module[..depth]);
                parent.is_some_and(|(_, file)| file.children.contains(&module[depth]))
            })
        };
        let kept: BTreeSet<Module> = self.files.keys().filter(|module| declared(module)).cloned().collect();
        self.files.retain(|module, _| kept.contains(module));
    }

    /// A crate of modules and their texts.
    pub fn of(name: &str, files: &[(&str, &str)]) -> Crate {
        let file = |(module, text): &(&str, &str)| {
            let path: Module =
                module.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
            let shown = if path.is_empty() { "lib.rs".into() } else { format!("{}.rs", path.join("/")) };
            (path, (shown, File::parse(text)))
        };
        Crate { name: name.to_owned(), files: files.iter().map(file).collect() }
    }

    /// Its modules.
    pub fn modules(&self) -> impl Iterator<Item = &Module> {
        self.files.keys()
    }

    /// A module's file.
    pub fn get(&self, module: &Module) -> &File {
        &self.files[module].1
    }

    /// Where a module is.
    pub fn file(&self, module: &Module) -> &str {
        &self.files[module].0
    }

    /// Where a path that a module names leads: the module and, but for a path to a module, the item that is
    /// defined there. None for another crate's.
    pub fn resolve(&self, from: &Module, path: &[String], depth: usize) -> Option<(Module, Option<String>)> {
        let (first, mut rest) = path.split_first()?;
        if depth > 16 {
            return None;
        }
        let mut at = match first.as_str() {
            "crate" => Module::new(),
            "self" => from.clone(),
            "super" => {
                let mut at = from.clone();
                at.pop()?;
                while rest.first().is_some_and(|next| next == "super") {
                    at.pop()?;
                    rest = &rest[1..];
                }
                at
            }
            name => match self.child(from, name) {
                Some(child) => child,
                None => self.import(from, name, depth).and_then(|(module, item)| match item {
                    None => Some(module),
                    // An associated item: the type's own path leads there.
                    Some(_) => None,
                })?,
            },
        };
        while let Some((next, behind)) = rest.split_first() {
            if let Some(child) = self.child(&at, next) {
                (at, rest) = (child, behind);
            } else if next == "*" || next == "self" {
                return Some((at, (next == "*").then(|| next.clone())));
            } else if self.get(&at).defined.contains(next) {
                return Some((at, Some(next.clone())));
            } else {
                return self.import(&at, next, depth);
            }
        }
        Some((at, None))
    }

    fn child(&self, of: &Module, name: &str) -> Option<Module> {
        let mut child = of.clone();
        child.push(name.to_owned());
        self.files.contains_key(&child).then_some(child)
    }

    /// Where a name leads that a module imports, by itself or with all of another module's.
    fn import(&self, module: &Module, name: &str, depth: usize) -> Option<(Module, Option<String>)> {
        let imports = &self.get(module).imports;
        let named = imports.iter().filter(|import| import.alias == name);
        let of_all = imports.iter().filter(|import| import.alias == "*");
        named
            .map(|import| import.path.clone())
            .find_map(|path| self.resolve(module, &path, depth + 1))
            .or_else(|| {
                of_all.filter_map(|import| self.resolve(module, &import.path, depth + 1)).find_map(
                    |(from, _)| {
                        let defines = self.get(&from).defined.contains(name);
                        defines.then(|| (from, Some(name.to_owned())))
                    },
                )
            })
    }
}

impl File {
    /// Reads a file's text.
    pub fn parse(text: &str) -> File {
        let mut file = File::default();
        file.walk(text.parse::<TokenStream>().expect("Rust"));
        file
    }

    fn walk(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut i = 0;
        while i < tokens.len() {
            match &tokens[i] {
                TokenTree::Punct(mark) if mark.as_char() == '#' && is_test(tokens.get(i + 1)) => {
                    let ends = |token: &TokenTree| match token {
                        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                        TokenTree::Punct(mark) => mark.as_char() == ';',
                        _ => false,
                    };
                    i += 1;
                    i += tokens[i..].iter().position(ends).unwrap_or(tokens.len());
                }
                TokenTree::Ident(word) if word == "use" && !is_path_mark(&tokens, i + 1) => {
                    let is_public = i > 0 && is_visibility(&tokens, i - 1);
                    let end = tokens[i..].iter().position(|token| is_mark(token, ';'));
                    let end = end.map_or(tokens.len(), |end| i + end);
                    self.read_use(&tokens[i + 1..end], Vec::new(), is_public);
                    i = end;
                }
                TokenTree::Ident(word)
                    if word == "mod" && tokens.get(i + 2).is_some_and(|end| is_mark(end, ';')) =>
                {
                    self.children.insert(tokens[i + 1].to_string());
                    i += 2;
                }
                TokenTree::Ident(word) => {
                    let mut path = vec![word.to_string()];
                    let behind = |distance: usize, words: &[&str]| {
                        let before = i.checked_sub(distance).and_then(|at| tokens.get(at));
                        before.is_some_and(|before| words.contains(&before.to_string().as_str()))
                    };
                    // Between `macro_rules` and the name stands an exclamation mark.
                    if behind(1, &DEFINES) || behind(2, &["macro_rules"]) {
                        self.defined.insert(word.to_string());
                    }
                    while is_path_mark(&tokens, i + 1) {
                        let Some(TokenTree::Ident(next)) = tokens.get(i + 3) else { break };
                        path.push(next.to_string());
                        i += 3;
                    }
                    let first = path[0].clone();
                    self.idents.insert(first);
                    if path.len() > 1 {
                        self.paths.insert(path);
                    }
                }
                TokenTree::Group(group) => self.walk(group.stream()),
                _ => {}
            }
            i += 1;
        }
    }

    /// Reads what stands behind `use`, a tree of names.
    fn read_use(&mut self, tokens: &[TokenTree], mut path: Vec<String>, is_public: bool) {
        let mut alias = None;
        let mut i = 0;
        while i < tokens.len() {
            match &tokens[i] {
                TokenTree::Ident(word) if word == "as" => {
                    alias = tokens.get(i + 1).map(ToString::to_string);
                    i += 1;
                }
                TokenTree::Ident(word) => path.push(word.to_string()),
                TokenTree::Punct(mark) if mark.as_char() == '*' => path.push("*".into()),
                TokenTree::Group(group) => {
                    let inside: Vec<TokenTree> = group.stream().into_iter().collect();
                    for branch in
                        inside.split(|token| is_mark(token, ',')).filter(|branch| !branch.is_empty())
                    {
                        self.read_use(branch, path.clone(), is_public);
                    }
                    return;
                }
                _ => {}
            }
            i += 1;
        }
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        if let Some(alias) = alias.or_else(|| path.last().cloned()) {
            self.imports.push(Import { path, alias, is_public });
        }
    }
}

/// Whether it is the bracket of `#[cfg(test)]`.
fn is_test(token: Option<&TokenTree>) -> bool {
    let text = |group: &Group| group.stream().to_string().replace(' ', "");
    matches!(token, Some(TokenTree::Group(group)) if text(group).starts_with("cfg(test)"))
}

fn is_mark(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(found) if found.as_char() == mark)
}

/// Whether `::` stands at a place.
fn is_path_mark(tokens: &[TokenTree], at: usize) -> bool {
    let is_joint =
        |token: &TokenTree| matches!(token, TokenTree::Punct(mark) if mark.spacing() == Spacing::Joint);
    let mark = |at: usize| tokens.get(at).filter(|token| is_mark(token, ':'));
    mark(at).is_some_and(is_joint) && mark(at + 1).is_some()
}

/// Whether `pub` or `pub(…)` ends at a place.
fn is_visibility(tokens: &[TokenTree], at: usize) -> bool {
    let is_pub = |at: usize| matches!(&tokens[at], TokenTree::Ident(word) if word == "pub");
    is_pub(at) || at > 0 && matches!(&tokens[at], TokenTree::Group(_)) && is_pub(at - 1)
}
