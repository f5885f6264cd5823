// Files that a setup file names. They are looked for from the setup's own folder, wherever the
// command is run; what is not there is a name (of a known model or a shipped head), or a path from
// the working directory. Reads nothing but whether a file is there.
#pragma once

#include <filesystem>
#include <string>

namespace tq::app {

// The path of the file of that name in `folder`, or the value as it is where there is none.
std::string file_beside(const std::string& value, const std::filesystem::path& folder);

// The same for each of several files with commas between them.
std::string files_beside(const std::string& values, const std::filesystem::path& folder);

// The same for each file in the list of a policy or a reward, and the lists in it: models, heads,
// adapters and texts written as @FILE. The command of a program and the model of a server are no
// files. A list that can't be read stays as it is, for whoever reads it next.
std::string list_beside(const std::string& list, const std::filesystem::path& folder);

}  // namespace tq::app
